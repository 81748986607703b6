import type { LetterTexts } from '../letter-texts.js';

const NOT_YOU = 'Se não foi você, defina uma nova senha agora e encerre suas outras sessões.';
const NEW_LINK_REPLACES = 'Ele substitui os links de mensagens anteriores.';
const WRITE_TO_OPERATOR = 'escreva para os responsáveis por este serviço';

/** Brazilian Portuguese with "você", which is how services there address people politely. */
export const pt: LetterTexts = {
  language: 'pt-BR',
  greeting: (username) => `Olá, ${username}!`,
  linkHint: 'Se o botão não funcionar, copie este endereço para o seu navegador:',
  footer: (brand) =>
    `${brand} enviou esta mensagem sobre uma conta com este endereço de e-mail. As respostas não são lidas.`,
  unknownPlace: 'um endereço desconhecido',
  letters: {
    WELCOME_VERIFY: {
      subject: 'Boas-vindas! Confirme seu endereço de e-mail',
      body: ({ link }) => ({
        paragraphs: ['Sua conta está pronta.', 'Confirme que este endereço de e-mail é seu.'],
        action: { label: 'Confirmar endereço de e-mail', link },
        notes: [
          'O link funciona uma única vez, por 24 horas.',
          'Se você não se cadastrou, ignore esta mensagem: sem a sua confirmação, o endereço continua não verificado.',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: 'Confirme seu endereço de e-mail',
      body: ({ link }) => ({
        paragraphs: ['Confirme que este endereço de e-mail é seu.'],
        action: { label: 'Confirmar endereço de e-mail', link },
        notes: [
          `O link funciona uma única vez, por 24 horas. ${NEW_LINK_REPLACES}`,
          'Se você não pediu isso, ignore esta mensagem.',
        ],
      }),
    },
    ALREADY_REGISTERED: {
      subject: 'Você já tem uma conta',
      body: ({ link }) => ({
        paragraphs: [
          'Alguém, talvez você, tentou se cadastrar com este endereço de e-mail. Já existe uma conta com ele, por isso nenhuma outra foi criada.',
          'Entre com a senha que você já tem. Se não se lembra dela, defina uma nova.',
        ],
        action: { label: 'Definir nova senha', link },
        notes: [
          'O link funciona uma única vez, por 30 minutos.',
          'Se você não tentou se cadastrar, ignore esta mensagem: nada mudou.',
        ],
      }),
    },
    RESET_PASSWORD: {
      subject: 'Defina uma nova senha',
      body: ({ link }) => ({
        paragraphs: ['Recebemos um pedido de nova senha para a sua conta.'],
        action: { label: 'Definir nova senha', link },
        notes: [
          `O link funciona uma única vez, por 30 minutos. ${NEW_LINK_REPLACES}`,
          'Se você não fez esse pedido, ignore esta mensagem: sua senha continua a mesma.',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: 'Sua senha foi alterada',
      body: ({ when, ip }) => ({
        paragraphs: [
          `A senha da sua conta foi alterada em ${when}, a partir de ${ip}.`,
          'Suas outras sessões foram encerradas.',
        ],
        notes: [
          'Se não foi você, peça imediatamente uma nova senha na página de acesso e verifique se a conta ainda tem o seu endereço de e-mail.',
        ],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: 'Confirme seu novo endereço de e-mail',
      body: ({ link }) => ({
        paragraphs: [
          'Este endereço vai se tornar o endereço de e-mail da sua conta. Até você confirmar, o antigo continua valendo.',
        ],
        action: { label: 'Confirmar novo endereço', link },
        notes: [
          'O link funciona uma única vez, por 30 minutos.',
          'Se você não pediu isso, ignore esta mensagem: nada vai mudar.',
        ],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: 'Seu endereço de e-mail está prestes a mudar',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `Recebemos um pedido para mudar o endereço de e-mail da sua conta para ${newEmailMasked}.`,
          'Se foi você, não há nada a fazer aqui: confirme a mudança na mensagem enviada ao novo endereço.',
          'Se não foi você, outra pessoa está usando a sua conta. Interrompa a mudança e, em seguida, defina uma nova senha.',
        ],
        action: { label: 'Manter meu endereço', link },
        notes: ['O link funciona por 72 horas, mesmo depois da mudança.'],
      }),
    },
    EMAIL_CHANGED: {
      subject: 'Seu endereço de e-mail foi alterado',
      body: () => ({
        paragraphs: ['Sua conta agora tem um novo endereço de e-mail.'],
        notes: [
          'Se não foi você, use o link do aviso enviado antes ao seu endereço antigo; ele funciona por 72 horas.',
        ],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: 'Uma frase de recuperação foi criada',
      body: () => ({
        paragraphs: [
          'Uma nova frase de recuperação de 12 palavras foi criada para a sua conta. Uma frase anterior não vale mais.',
          'Quem tiver a frase pode definir uma nova senha: guarde-a fora da internet.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: 'Sua conta foi recuperada',
      body: () => ({
        paragraphs: [
          'Sua frase de recuperação foi usada para definir uma nova senha. Todas as sessões foram encerradas, e a frase não vale mais.',
          'Crie uma nova frase depois de entrar.',
        ],
        notes: [
          'Se não foi você, peça imediatamente uma nova senha na página de acesso: isso tira o acesso da outra pessoa.',
        ],
      }),
    },
    SESSION_REUSE: {
      subject: 'Encerramos uma das suas sessões',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Uma credencial de acesso sua, já substituída, foi usada em ${when}, a partir de ${ip}. Ela pode ter sido copiada de um dos seus dispositivos, por isso encerramos essa sessão.`,
          'Se a sua sessão tiver sido encerrada em algum lugar, basta entrar de novo.',
        ],
        notes: ['Se você não reconhece isso, defina uma nova senha e encerre suas outras sessões.'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'Uma chave de API foi criada',
      body: ({ keyName }) => ({
        paragraphs: [
          `Uma nova chave de API chamada “${keyName}” foi criada para a sua conta. Ela pode ler o que suas permissões autorizam até expirar ou ser revogada por você.`,
        ],
        notes: ['Se não foi você, revogue a chave, defina uma nova senha e encerre suas outras sessões.'],
      }),
    },
    INVITATION: {
      subject: 'Você recebeu um convite',
      body: ({ link, invitedBy }) => ({
        paragraphs: [
          `${invitedBy} criou uma conta para você.`,
          'Escolha uma senha para começar. Você pode entrar com este endereço de e-mail.',
        ],
        action: { label: 'Escolher senha', link },
        notes: [
          'O link funciona uma única vez, por 72 horas.',
          'Se você não esperava este convite, ignore esta mensagem: ninguém pode usar a conta sem o link.',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: 'A verificação em duas etapas está ativada',
      body: () => ({
        paragraphs: [
          'De agora em diante, para entrar é preciso, além da senha, um código do seu aplicativo autenticador. Suas outras sessões foram encerradas.',
          'Guarde os códigos de backup fora da internet: cada um funciona uma vez, para o dia em que você ficar sem o aplicativo.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: 'A verificação em duas etapas está desativada',
      body: ({ when, ip }) => ({
        paragraphs: [
          `A verificação em duas etapas foi desativada em ${when}, a partir de ${ip}. Agora basta a sua senha para entrar.`,
          'Suas outras sessões foram encerradas.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: 'A verificação em duas etapas foi retirada',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Em ${when}, uma pessoa da administração deste serviço retirou a verificação em duas etapas da sua conta.`,
          `Motivo informado: ${reason}`,
          'Agora basta a sua senha para entrar, e todas as suas sessões foram encerradas. Ative a verificação em duas etapas de novo assim que puder.',
        ],
        notes: [`Se você não pediu isso, troque sua senha agora e ${WRITE_TO_OPERATOR}.`],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: 'Você tem novos códigos de backup',
      body: () => ({
        paragraphs: ['Novos códigos de backup foram criados para a sua conta. Os anteriores não valem mais.'],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: 'Sua conta está suspensa',
      body: ({ reason }) => ({
        paragraphs: [
          'Sua conta foi suspensa. Por enquanto você não pode entrar, e todas as sessões foram encerradas.',
          `Motivo informado: ${reason}`,
        ],
        notes: [`Se você acha que é um engano, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    ACCOUNT_DELETED: {
      subject: 'Sua conta foi excluída',
      body: ({ when }) => ({
        paragraphs: [
          'Sua conta foi excluída. Todas as sessões e chaves foram encerradas, e seu nome de usuário e seu endereço estão livres de novo.',
          `Ela pode ser recuperada até ${when}. Depois disso, tudo o que há sobre você será destruído definitivamente.`,
        ],
        notes: [`Para voltar, ou se não foi você, ${WRITE_TO_OPERATOR} antes dessa data, a partir deste endereço.`],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: 'Sua conta está de volta',
      body: ({ username }) => ({
        paragraphs: [
          `Sua conta foi restaurada. Seu nome de usuário é ${username}, e sua senha é a que você tinha.`,
          'Entre de novo; as sessões e chaves de antes continuam encerradas.',
        ],
        notes: [`Se você não pediu isso, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    IMPERSONATED: {
      subject: 'Alguém da administração abriu sua conta',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Em ${when}, uma pessoa da administração deste serviço abriu sua conta para vê-la como você a vê. O acesso termina sozinho após 15 minutos.`,
          `Motivo informado: ${reason}`,
          'Ele não permite alterar sua senha, seu endereço, suas chaves nem o que você paga.',
        ],
        notes: [
          'O acesso consta no seu histórico de segurança e, enquanto durar, entre as suas sessões, onde você pode encerrá-lo.',
          `Se você não esperava por isso, ${WRITE_TO_OPERATOR}.`,
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: 'Boas-vindas! Sua conta está pronta',
      body: ({ provider }) => ({
        paragraphs: [
          `Sua conta foi criada quando você entrou com ${provider}. O endereço já conta como confirmado.`,
          'Ela não tem senha: entre da mesma forma ou, se quiser uma, peça uma senha na página de entrada.',
        ],
        notes: [`Se não foi você, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    PROVIDER_LINKED: {
      subject: 'Sua conta tem uma nova forma de entrar',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Uma conta em ${provider} foi vinculada à sua em ${when}, a partir de ${ip}. Agora ela também pode entrar.`,
        ],
        notes: [
          'Se não foi você, entre, remova a conta vinculada nas configurações e defina uma nova senha imediatamente.',
        ],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: 'Sua conta agora é só sua',
      body: ({ provider }) => ({
        paragraphs: [
          `Alguém tinha criado uma conta com o seu endereço sem confirmá-lo. Você o confirmou ao entrar com ${provider}, e a conta é sua.`,
          'A senha, as sessões e as chaves anteriores não funcionam mais.',
        ],
        notes: ['Se foi você quem a criou, não é preciso fazer nada: defina uma nova senha, se quiser.'],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: 'Uma forma de entrar foi removida',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `A conta em ${provider} foi desvinculada da sua em ${when}, a partir de ${ip}. Ela não pode mais entrar.`,
          'Suas outras sessões foram encerradas.',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: 'Entrada em um novo dispositivo',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Alguém entrou na sua conta com ${provider} em ${when}, a partir de ${ip}, em um dispositivo que ainda não tinha sido usado.`,
        ],
        notes: ['Se não foi você, proteja primeiro a sua conta lá e depois encerre aqui as suas outras sessões.'],
      }),
    },
    DATA_EXPORT_READY: {
      subject: 'A exportação dos seus dados está pronta',
      body: ({ when }) => ({
        paragraphs: [
          'O arquivo com tudo o que é guardado sobre você está pronto. Para baixá-lo, entre na sua conta e confirme sua senha.',
          `Ele será apagado em ${when}.`,
        ],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: 'Um endpoint de webhook foi desativado',
      body: ({ host, when }) => ({
        paragraphs: [
          `Não são mais enviados eventos para ${host}.`,
          `Ele foi desativado em ${when}, porque informou que não existe mais ou não aceitou nada durante três dias.`,
        ],
        notes: ['Ative-o de novo quando funcionar e envie o que ele perdeu: updateWebhookEndpoint e redeliverWebhook.'],
      }),
    },
    ACCOUNT_ERASED: {
      subject: 'Seus dados foram apagados',
      body: () => ({
        paragraphs: [
          'Sua conta e tudo o que era guardado sobre você foram apagados. Não é possível recuperá-los.',
          'Os lançamentos contábeis permanecem, sem o seu nome.',
        ],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: 'Recebemos seu pagamento',
      body: ({ amount, product }) => ({
        paragraphs: [`Recebemos ${amount} por ${product}. Agradecemos.`],
        notes: ['Você encontra faturas e recibos na área de cobrança da sua conta.'],
      }),
    },
    PAYMENT_FAILED: {
      subject: 'Seu pagamento não foi concluído',
      body: ({ amount, product }) => ({
        paragraphs: [
          `Não conseguimos cobrar ${amount} por ${product}.`,
          'Verifique sua forma de pagamento. Tentaremos de novo nos próximos dias; se não der certo, a assinatura será encerrada.',
        ],
        notes: ['Se você já resolveu isso, não precisa fazer nada.'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: 'Sua assinatura vai terminar',
      body: ({ product, when }) => ({
        paragraphs: [`${product} não será renovado. Você pode usá-lo até ${when}, e nada mais será cobrado.`],
        notes: ['Até lá, você pode mudar de ideia na área de cobrança da sua conta.'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: 'Sua assinatura terminou',
      body: ({ product }) => ({
        paragraphs: [`${product} terminou. Nada mais será cobrado.`],
        notes: ['Sua conta e seus créditos permanecem.'],
      }),
    },
  },
};
