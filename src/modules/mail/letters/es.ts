import type { LetterTexts } from '../letter-texts.js';

const NOT_YOU = 'Si no fue usted, establezca ahora una contraseña nueva y cierre sus demás sesiones.';
const NEW_LINK_REPLACES = 'Sustituye a los enlaces de mensajes anteriores.';
const WRITE_TO_OPERATOR = 'escriba a quienes administran este servicio';

/** Formal (usted), which reads as polite in Spain and in America alike. */
export const es: LetterTexts = {
  language: 'es',
  greeting: (username) => `Hola, ${username}:`,
  linkHint: 'Si el botón no funciona, copie esta dirección en su navegador:',
  footer: (brand) =>
    `${brand} le ha enviado este mensaje por una cuenta con esta dirección de correo. Nadie lee las respuestas.`,
  unknownPlace: 'una dirección desconocida',
  letters: {
    WELCOME_VERIFY: {
      subject: 'Le damos la bienvenida: verifique su correo electrónico',
      body: ({ link }) => ({
        paragraphs: ['Su cuenta está lista.', 'Confirme que esta dirección de correo electrónico es suya.'],
        action: { label: 'Verificar dirección', link },
        notes: [
          'El enlace funciona una sola vez, durante 24 horas.',
          'Si no se ha registrado, ignore este mensaje: sin su confirmación, la dirección queda sin verificar.',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: 'Verifique su dirección de correo electrónico',
      body: ({ link }) => ({
        paragraphs: ['Confirme que esta dirección de correo electrónico es suya.'],
        action: { label: 'Verificar dirección', link },
        notes: [
          `El enlace funciona una sola vez, durante 24 horas. ${NEW_LINK_REPLACES}`,
          'Si no lo ha solicitado, ignore este mensaje.',
        ],
      }),
    },
    ALREADY_REGISTERED: {
      subject: 'Ya tiene una cuenta',
      body: ({ link }) => ({
        paragraphs: [
          'Alguien, quizá usted, ha intentado registrarse con esta dirección de correo. Ya existe una cuenta con ella, así que no se ha creado otra.',
          'Inicie sesión con su contraseña de siempre. Si ya no la recuerda, establezca una nueva.',
        ],
        action: { label: 'Establecer contraseña nueva', link },
        notes: [
          'El enlace funciona una sola vez, durante 30 minutos.',
          'Si no ha intentado registrarse, ignore este mensaje: no ha cambiado nada.',
        ],
      }),
    },
    RESET_PASSWORD: {
      subject: 'Establezca una contraseña nueva',
      body: ({ link }) => ({
        paragraphs: ['Se ha solicitado una contraseña nueva para su cuenta.'],
        action: { label: 'Establecer contraseña nueva', link },
        notes: [
          `El enlace funciona una sola vez, durante 30 minutos. ${NEW_LINK_REPLACES}`,
          'Si no la ha solicitado, ignore este mensaje: su contraseña sigue siendo la misma.',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: 'Su contraseña ha cambiado',
      body: ({ when, ip }) => ({
        paragraphs: [
          `La contraseña de su cuenta se cambió el ${when}, desde ${ip}.`,
          'Se han cerrado sus demás sesiones.',
        ],
        notes: [
          'Si no fue usted, solicite cuanto antes una contraseña nueva en la página de inicio de sesión y compruebe que la cuenta conserva su dirección de correo.',
        ],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: 'Confirme su nueva dirección de correo',
      body: ({ link }) => ({
        paragraphs: [
          'Esta dirección va a ser la dirección de correo de su cuenta. Hasta que la confirme, se mantiene la anterior.',
        ],
        action: { label: 'Confirmar dirección nueva', link },
        notes: [
          'El enlace funciona una sola vez, durante 30 minutos.',
          'Si no lo ha solicitado, ignore este mensaje: no cambiará nada.',
        ],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: 'Su dirección de correo está a punto de cambiar',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `Se ha solicitado cambiar la dirección de correo de su cuenta a ${newEmailMasked}.`,
          'Si fue usted, no tiene que hacer nada aquí: confirme el cambio en el mensaje enviado a la dirección nueva.',
          'Si no fue usted, otra persona está usando su cuenta. Detenga el cambio y, después, establezca una contraseña nueva.',
        ],
        action: { label: 'Conservar mi dirección', link },
        notes: ['El enlace funciona durante 72 horas, también después del cambio.'],
      }),
    },
    EMAIL_CHANGED: {
      subject: 'Su dirección de correo ha cambiado',
      body: () => ({
        paragraphs: ['Su cuenta tiene ahora una dirección de correo nueva.'],
        notes: [
          'Si no fue usted, utilice el enlace del aviso que se envió antes a su dirección anterior; funciona durante 72 horas.',
        ],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: 'Se ha creado una frase de recuperación',
      body: () => ({
        paragraphs: [
          'Se ha creado una nueva frase de recuperación de 12 palabras para su cuenta. Si había otra, ya no sirve.',
          'Quien tenga la frase puede establecer una contraseña nueva: guárdela fuera de línea.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: 'Su cuenta ha sido recuperada',
      body: () => ({
        paragraphs: [
          'Se ha usado su frase de recuperación para establecer una contraseña nueva. Se han cerrado todas las sesiones y la frase ya no sirve.',
          'Cree una frase nueva cuando inicie sesión.',
        ],
        notes: [
          'Si no fue usted, solicite cuanto antes una contraseña nueva en la página de inicio de sesión: así la otra persona pierde el acceso.',
        ],
      }),
    },
    SESSION_REUSE: {
      subject: 'Hemos cerrado una de sus sesiones',
      body: ({ when, ip }) => ({
        paragraphs: [
          `El ${when} se usó, desde ${ip}, una credencial de sesión suya que ya había caducado. Es posible que la hayan copiado de uno de sus dispositivos, así que hemos cerrado esa sesión.`,
          'Si en algún sitio ve su sesión cerrada, vuelva a iniciarla sin más.',
        ],
        notes: ['Si no lo reconoce, establezca una contraseña nueva y cierre sus demás sesiones.'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'Se ha creado una clave de API',
      body: ({ keyName }) => ({
        paragraphs: [
          `Se ha creado para su cuenta una clave de API llamada «${keyName}». Puede leer lo que sus permisos autorizan hasta que caduque o usted la revoque.`,
        ],
        notes: ['Si no fue usted, revoque la clave, establezca una contraseña nueva y cierre sus demás sesiones.'],
      }),
    },
    INVITATION: {
      subject: 'Ha recibido una invitación',
      body: ({ link, invitedBy }) => ({
        paragraphs: [
          `${invitedBy} ha creado una cuenta para usted.`,
          'Elija una contraseña para empezar. Puede iniciar sesión con esta dirección de correo.',
        ],
        action: { label: 'Elegir contraseña', link },
        notes: [
          'El enlace funciona una sola vez, durante 72 horas.',
          'Si no esperaba esta invitación, ignore este mensaje: nadie puede usar la cuenta sin el enlace.',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: 'La verificación en dos pasos está activada',
      body: () => ({
        paragraphs: [
          'A partir de ahora, para iniciar sesión hace falta, además de la contraseña, un código de su aplicación de autenticación. Se han cerrado sus demás sesiones.',
          'Guarde los códigos de respaldo fuera de línea: cada uno sirve una vez, para el día en que no tenga la aplicación.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: 'La verificación en dos pasos está desactivada',
      body: ({ when, ip }) => ({
        paragraphs: [
          `La verificación en dos pasos se desactivó el ${when}, desde ${ip}. Ahora basta su contraseña para iniciar sesión.`,
          'Se han cerrado sus demás sesiones.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: 'Se ha retirado la verificación en dos pasos',
      body: ({ when, reason }) => ({
        paragraphs: [
          `El ${when}, una persona que administra este servicio retiró la verificación en dos pasos de su cuenta.`,
          `Motivo indicado: ${reason}`,
          'Ahora basta su contraseña para iniciar sesión, y se han cerrado todas sus sesiones. Vuelva a activar la verificación en dos pasos en cuanto pueda.',
        ],
        notes: [`Si no lo ha pedido usted, cambie ahora su contraseña y ${WRITE_TO_OPERATOR}.`],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: 'Tiene nuevos códigos de respaldo',
      body: () => ({
        paragraphs: ['Se han creado nuevos códigos de respaldo para su cuenta. Los anteriores ya no sirven.'],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: 'Su cuenta está suspendida',
      body: ({ reason }) => ({
        paragraphs: [
          'Su cuenta ha sido suspendida. Por ahora no puede iniciar sesión y se han cerrado todas las sesiones.',
          `Motivo indicado: ${reason}`,
        ],
        notes: [`Si cree que se trata de un error, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    ACCOUNT_DELETED: {
      subject: 'Su cuenta ha sido eliminada',
      body: ({ when }) => ({
        paragraphs: [
          'Su cuenta ha sido eliminada. Se han cerrado todas las sesiones, las claves ya no sirven y su nombre de usuario y su dirección vuelven a estar libres.',
          `Puede recuperarse hasta el ${when}. Después, todo lo que se guarda sobre usted se destruirá definitivamente.`,
        ],
        notes: [`Si desea volver, o si no fue usted, ${WRITE_TO_OPERATOR} antes de ese día y desde esta dirección.`],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: 'Su cuenta vuelve a estar activa',
      body: ({ username }) => ({
        paragraphs: [
          `Su cuenta ha sido restaurada. Su nombre de usuario es ${username} y su contraseña es la que tenía.`,
          'Inicie sesión de nuevo; las sesiones y claves anteriores siguen anuladas.',
        ],
        notes: [`Si no lo ha solicitado, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    IMPERSONATED: {
      subject: 'Un miembro de la administración ha abierto su cuenta',
      body: ({ when, reason }) => ({
        paragraphs: [
          `El ${when}, una persona que administra este servicio abrió su cuenta para verla como la ve usted. El acceso termina solo a los 15 minutos.`,
          `Motivo indicado: ${reason}`,
          'No puede cambiar su contraseña, su dirección, sus claves ni lo que usted paga.',
        ],
        notes: [
          'Consta en su historial de seguridad y, mientras dura, entre sus sesiones, donde puede ponerle fin.',
          `Si no lo esperaba, ${WRITE_TO_OPERATOR}.`,
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: 'Le damos la bienvenida: su cuenta está lista',
      body: ({ provider }) => ({
        paragraphs: [
          `Su cuenta se creó al iniciar sesión con ${provider}. La dirección ya cuenta como verificada.`,
          'No tiene contraseña: inicie sesión de la misma manera, o pida una contraseña en la página de inicio de sesión si la quiere.',
        ],
        notes: [`Si no fue usted, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    PROVIDER_LINKED: {
      subject: 'Su cuenta tiene otra forma de iniciar sesión',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Una cuenta de ${provider} se vinculó con la suya el ${when}, desde ${ip}. A partir de ahora sirve para iniciar sesión.`,
        ],
        notes: [
          'Si no fue usted, inicie sesión, quite la cuenta vinculada en los ajustes y establezca de inmediato una contraseña nueva.',
        ],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: 'Su cuenta es ahora solo suya',
      body: ({ provider }) => ({
        paragraphs: [
          `Alguien había creado una cuenta con su dirección sin verificarla. Usted la ha verificado al iniciar sesión con ${provider}, así que la cuenta es suya.`,
          'La contraseña, las sesiones y las claves anteriores ya no sirven.',
        ],
        notes: ['Si la creó usted, no tiene que hacer nada: establezca una contraseña nueva si la quiere.'],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: 'Se ha quitado una forma de iniciar sesión',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `La cuenta de ${provider} se desvinculó de la suya el ${when}, desde ${ip}. Ya no sirve para iniciar sesión.`,
          'Se han cerrado sus demás sesiones.',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: 'Inicio de sesión en un dispositivo nuevo',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Alguien inició sesión en su cuenta con ${provider} el ${when}, desde ${ip}, en un dispositivo que no se había usado antes.`,
        ],
        notes: ['Si no fue usted, proteja primero su cuenta allí y cierre después aquí sus demás sesiones.'],
      }),
    },
    DATA_EXPORT_READY: {
      subject: 'Su exportación de datos está lista',
      body: ({ when }) => ({
        paragraphs: [
          'El archivo con todo lo que se guarda sobre usted está listo. Para descargarlo, inicie sesión y confirme su contraseña.',
          `Se borrará el ${when}.`,
        ],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: 'Se ha desactivado un punto de recepción de webhooks',
      body: ({ host, when }) => ({
        paragraphs: [
          `Ya no se envían eventos a ${host}.`,
          `Se desactivó el ${when}, porque comunicó que ya no existe o no aceptó nada durante tres días.`,
        ],
        notes: [
          'Vuelva a activarlo cuando funcione y envíele lo que le falta: updateWebhookEndpoint y redeliverWebhook.',
        ],
      }),
    },
    ACCOUNT_ERASED: {
      subject: 'Sus datos han sido borrados',
      body: () => ({
        paragraphs: [
          'Su cuenta y todo lo que se guardaba sobre usted se han borrado. No se pueden recuperar.',
          'Los asientos contables se conservan, sin su nombre.',
        ],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: 'Hemos recibido su pago',
      body: ({ amount, product }) => ({
        paragraphs: [`Hemos recibido ${amount} por ${product}. Gracias.`],
        notes: ['Encontrará facturas y recibos en el área de facturación de su cuenta.'],
      }),
    },
    PAYMENT_FAILED: {
      subject: 'Su pago no se ha podido efectuar',
      body: ({ amount, product }) => ({
        paragraphs: [
          `No hemos podido cobrar ${amount} por ${product}.`,
          'Compruebe su método de pago. Lo intentaremos de nuevo en los próximos días; si tampoco es posible, la suscripción terminará.',
        ],
        notes: ['Si ya lo ha resuelto, no tiene que hacer nada.'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: 'Su suscripción va a terminar',
      body: ({ product, when }) => ({
        paragraphs: [`${product} no se renovará. Puede utilizarlo hasta el ${when} y no se le cobrará nada más.`],
        notes: ['Hasta entonces puede cambiar de opinión en el área de facturación de su cuenta.'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: 'Su suscripción ha terminado',
      body: ({ product }) => ({
        paragraphs: [`${product} ha terminado. No se le cobrará nada más.`],
        notes: ['Su cuenta y sus créditos se conservan.'],
      }),
    },
  },
};
