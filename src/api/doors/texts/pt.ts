import type { PageTexts } from '../page-texts.js';

export const pt: PageTexts = {
  language: 'pt-BR',
  pages: {
    '/verify-email': {
      title: 'Confirme seu endereço de e-mail',
      intro: 'Pressione o botão para confirmar que este endereço de e-mail é seu.',
      button: 'Confirmar endereço de e-mail',
      done: 'Seu endereço de e-mail está confirmado. Você pode fechar esta página.',
    },
    '/reset-password': {
      title: 'Defina uma nova senha',
      intro: 'Escolha uma nova senha para a sua conta. Todas as suas sessões serão encerradas.',
      button: 'Definir nova senha',
      done: 'Sua nova senha está definida. Entre com ela.',
    },
    '/confirm-email-change': {
      title: 'Confirme seu novo endereço de e-mail',
      intro: 'Pressione o botão para que este seja o seu endereço de e-mail.',
      button: 'Confirmar novo endereço',
      done: 'Sua conta já tem o novo endereço de e-mail. Você pode fechar esta página.',
    },
    '/undo-email-change': {
      title: 'Mantenha seu endereço de e-mail',
      intro: 'Pressione o botão para interromper ou desfazer a mudança do seu endereço de e-mail.',
      button: 'Manter meu endereço',
      done: 'Sua conta mantém este endereço de e-mail. Defina agora uma nova senha: outra pessoa pode conhecer a antiga.',
    },
    '/accept-invitation': {
      title: 'Escolha sua senha',
      intro: 'Sua conta está à sua espera. Escolha uma senha para começar.',
      button: 'Escolher senha',
      done: 'Sua senha está definida. Você já pode entrar.',
    },
  },
  afterCheckout: {
    complete: {
      title: 'Obrigado',
      text: 'Seu pagamento está a caminho. Ele contará assim que o Stripe o confirmar, quase sempre em poucos segundos. Você pode fechar esta página.',
    },
    canceled: { title: 'Nada foi pago', text: 'Você saiu antes de pagar. Você pode fechar esta página.' },
  },
  done: 'Pronto',
  failed: 'Não funcionou',
  problem: (title) => `Problema: ${title}`,
  incomplete: {
    title: 'Este link está incompleto',
    advice: 'Falta uma parte do endereço. Copie o link inteiro da mensagem para o seu navegador.',
  },
  problems: {
    TOKEN_INVALID: 'Este link não é válido.',
    TOKEN_EXPIRED: 'Este link expirou.',
    ACCOUNT_SUSPENDED: 'A conta está suspensa.',
    USER_ALREADY_EXISTS: 'Este endereço agora pertence a outra conta.',
    RATE_LIMITED: 'Tentativas demais. Espere um momento e tente de novo.',
    RETRY_LATER: 'Não é possível agora. Tente de novo daqui a pouco.',
    INTERNAL_SERVER_ERROR: 'Algo deu errado do nosso lado.',
  },
  askAgain:
    'O link já foi usado, é antigo demais ou foi substituído por uma mensagem mais nova. Peça uma nova mensagem.',
  request: (id) => `Solicitação ${id}`,
  password: 'Nova senha',
  repeated: 'A mesma senha de novo',
  rule: (minLength) => `Pelo menos ${minLength} caracteres. Várias palavras formam uma boa senha.`,
  different: 'As duas senhas não são iguais.',
  weak: ({ minLength }) => [
    `Esta senha é curta demais ou fácil demais de adivinhar. Use pelo menos ${minLength} caracteres e evite seu nome, seu endereço e palavras comuns.`,
  ],
};
