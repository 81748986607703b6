import type { PageTexts } from '../page-texts.js';

export const fr: PageTexts = {
  language: 'fr',
  pages: {
    '/verify-email': {
      title: 'Confirmez votre adresse e-mail',
      intro: 'Appuyez sur le bouton pour confirmer que cette adresse e-mail est la vôtre.',
      button: 'Confirmer l’adresse e-mail',
      done: 'Votre adresse e-mail est confirmée. Vous pouvez fermer cette page.',
    },
    '/reset-password': {
      title: 'Choisissez un nouveau mot de passe',
      intro: 'Choisissez un nouveau mot de passe pour votre compte. Toutes vos sessions seront fermées.',
      button: 'Enregistrer le mot de passe',
      done: 'Votre nouveau mot de passe est enregistré. Utilisez-le pour vous connecter.',
    },
    '/confirm-email-change': {
      title: 'Confirmez votre nouvelle adresse e-mail',
      intro: 'Appuyez sur le bouton pour que cette adresse devienne la vôtre.',
      button: 'Confirmer la nouvelle adresse',
      done: 'Votre compte a sa nouvelle adresse e-mail. Vous pouvez fermer cette page.',
    },
    '/undo-email-change': {
      title: 'Conservez votre adresse e-mail',
      intro: 'Appuyez sur le bouton pour arrêter ou annuler le changement de votre adresse e-mail.',
      button: 'Conserver mon adresse',
      done: 'Votre compte conserve cette adresse e-mail. Choisissez maintenant un nouveau mot de passe\u00a0: quelqu’un d’autre connaît peut-être l’ancien.',
    },
    '/accept-invitation': {
      title: 'Choisissez votre mot de passe',
      intro: 'Votre compte vous attend. Choisissez un mot de passe pour commencer.',
      button: 'Choisir ce mot de passe',
      done: 'Votre mot de passe est enregistré. Vous pouvez vous connecter.',
    },
  },
  afterCheckout: {
    complete: {
      title: 'Merci',
      text: 'Votre paiement est en cours. Il comptera dès que Stripe l’aura confirmé, le plus souvent en quelques secondes. Vous pouvez fermer cette page.',
    },
    canceled: {
      title: 'Rien n’a été payé',
      text: 'Vous avez quitté la page avant de payer. Vous pouvez fermer cette page.',
    },
  },
  done: 'C’est fait',
  failed: 'Cela n’a pas fonctionné',
  problem: (title) => `Problème\u00a0: ${title}`,
  incomplete: {
    title: 'Ce lien est incomplet',
    advice: 'Il manque une partie de l’adresse. Copiez le lien entier du message dans votre navigateur.',
  },
  problems: {
    TOKEN_INVALID: 'Ce lien n’est pas valable.',
    TOKEN_EXPIRED: 'Ce lien a expiré.',
    ACCOUNT_SUSPENDED: 'Le compte est suspendu.',
    USER_ALREADY_EXISTS: 'Cette adresse appartient désormais à un autre compte.',
    RATE_LIMITED: 'Trop de tentatives. Patientez un instant, puis réessayez.',
    RETRY_LATER: 'Ce n’est pas possible pour le moment. Réessayez dans un instant.',
    INTERNAL_SERVER_ERROR: 'Une erreur est survenue de notre côté.',
  },
  askAgain:
    'Le lien a déjà servi, est trop ancien ou a été remplacé par un message plus récent. Demandez un nouveau message.',
  request: (id) => `Requête ${id}`,
  password: 'Nouveau mot de passe',
  repeated: 'Encore une fois le même',
  rule: (minLength) => `Au moins ${minLength} caractères. Plusieurs mots font un bon mot de passe.`,
  different: 'Les deux mots de passe ne sont pas identiques.',
  weak: ({ minLength }) => [
    `Ce mot de passe est trop court ou trop facile à deviner. Prenez au moins ${minLength} caractères, sans votre nom, votre adresse ni un mot courant.`,
  ],
};
