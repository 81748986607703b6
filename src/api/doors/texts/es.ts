import type { PageTexts } from '../page-texts.js';

export const es: PageTexts = {
  language: 'es',
  pages: {
    '/verify-email': {
      title: 'Verifique su dirección de correo',
      intro: 'Pulse el botón para confirmar que esta dirección de correo es suya.',
      button: 'Verificar dirección',
      done: 'Su dirección de correo está verificada. Puede cerrar esta página.',
    },
    '/reset-password': {
      title: 'Establezca una contraseña nueva',
      intro: 'Elija una contraseña nueva para su cuenta. Se cerrarán todas sus sesiones.',
      button: 'Establecer contraseña',
      done: 'Su contraseña nueva ya es válida. Inicie sesión con ella.',
    },
    '/confirm-email-change': {
      title: 'Confirme su nueva dirección de correo',
      intro: 'Pulse el botón para que esta sea su dirección de correo.',
      button: 'Confirmar dirección nueva',
      done: 'Su cuenta ya tiene la dirección de correo nueva. Puede cerrar esta página.',
    },
    '/undo-email-change': {
      title: 'Conserve su dirección de correo',
      intro: 'Pulse el botón para detener o deshacer el cambio de su dirección de correo.',
      button: 'Conservar mi dirección',
      done: 'Su cuenta conserva esta dirección de correo. Establezca ahora una contraseña nueva: es posible que otra persona conozca la anterior.',
    },
    '/accept-invitation': {
      title: 'Elija su contraseña',
      intro: 'Su cuenta le espera. Elija una contraseña para empezar.',
      button: 'Elegir contraseña',
      done: 'Su contraseña ya es válida. Puede iniciar sesión.',
    },
  },
  afterCheckout: {
    complete: {
      title: 'Gracias',
      text: 'Su pago está en camino. Contará en cuanto Stripe lo confirme, casi siempre en unos segundos. Puede cerrar esta página.',
    },
    canceled: { title: 'No se ha pagado nada', text: 'Salió antes de pagar. Puede cerrar esta página.' },
  },
  done: 'Listo',
  failed: 'No ha funcionado',
  problem: (title) => `Problema: ${title}`,
  incomplete: {
    title: 'Este enlace está incompleto',
    advice: 'Falta una parte de la dirección. Copie el enlace completo del mensaje en su navegador.',
  },
  problems: {
    TOKEN_INVALID: 'Este enlace no es válido.',
    TOKEN_EXPIRED: 'Este enlace ha caducado.',
    ACCOUNT_SUSPENDED: 'La cuenta está suspendida.',
    USER_ALREADY_EXISTS: 'Esta dirección pertenece ahora a otra cuenta.',
    RATE_LIMITED: 'Demasiados intentos. Espere un momento y vuelva a intentarlo.',
    RETRY_LATER: 'Ahora mismo no es posible. Vuelva a intentarlo dentro de un momento.',
    INTERNAL_SERVER_ERROR: 'Se ha producido un error por nuestra parte.',
  },
  askAgain:
    'El enlace ya se ha usado, es demasiado antiguo o ha sido sustituido por un mensaje más reciente. Solicite un mensaje nuevo.',
  request: (id) => `Solicitud ${id}`,
  password: 'Contraseña nueva',
  repeated: 'Repítala',
  rule: (minLength) => `Al menos ${minLength} caracteres. Varias palabras forman una buena contraseña.`,
  different: 'Las dos contraseñas no coinciden.',
  weak: ({ minLength }) => [
    `Esta contraseña es demasiado corta o demasiado fácil de adivinar. Use al menos ${minLength} caracteres y evite su nombre, su dirección y las palabras comunes.`,
  ],
};
