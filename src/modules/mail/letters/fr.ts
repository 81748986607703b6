import type { LetterTexts } from '../letter-texts.js';

// A colon and guillemets stand off by a space that must not break (\u00a0).
const NOT_YOU =
  'Si ce n’était pas vous, choisissez tout de suite un nouveau mot de passe et fermez vos autres sessions.';
const NEW_LINK_REPLACES = 'Il remplace les liens des messages précédents.';
const WRITE_TO_OPERATOR = 'écrivez aux responsables de ce service';

/** Formal (vous). */
export const fr: LetterTexts = {
  language: 'fr',
  greeting: (username) => `Bonjour ${username},`,
  linkHint: 'Si le bouton ne fonctionne pas, copiez cette adresse dans votre navigateur\u00a0:',
  footer: (brand) =>
    `${brand} vous a envoyé ce message au sujet d’un compte associé à cette adresse. Les réponses ne sont pas lues.`,
  unknownPlace: 'une adresse inconnue',
  letters: {
    WELCOME_VERIFY: {
      subject: 'Bienvenue\u00a0! Confirmez votre adresse e-mail',
      body: ({ link }) => ({
        paragraphs: ['Votre compte est prêt.', 'Merci de confirmer que cette adresse e-mail est bien la vôtre.'],
        action: { label: 'Confirmer l’adresse e-mail', link },
        notes: [
          'Le lien fonctionne une seule fois, pendant 24 heures.',
          'Si vous n’avez pas créé de compte, ignorez ce message\u00a0: sans votre confirmation, l’adresse reste non vérifiée.',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: 'Confirmez votre adresse e-mail',
      body: ({ link }) => ({
        paragraphs: ['Merci de confirmer que cette adresse e-mail est bien la vôtre.'],
        action: { label: 'Confirmer l’adresse e-mail', link },
        notes: [
          `Le lien fonctionne une seule fois, pendant 24 heures. ${NEW_LINK_REPLACES}`,
          'Si vous n’avez rien demandé, ignorez ce message.',
        ],
      }),
    },
    ALREADY_REGISTERED: {
      subject: 'Vous avez déjà un compte',
      body: ({ link }) => ({
        paragraphs: [
          'Quelqu’un, peut-être vous, a voulu s’inscrire avec cette adresse e-mail. Un compte existe déjà à cette adresse, aucun autre n’a donc été créé.',
          'Connectez-vous avec votre mot de passe actuel. Si vous l’avez oublié, choisissez-en un nouveau.',
        ],
        action: { label: 'Choisir un nouveau mot de passe', link },
        notes: [
          'Le lien fonctionne une seule fois, pendant 30 minutes.',
          'Si vous n’avez pas cherché à vous inscrire, ignorez ce message\u00a0: rien n’a changé.',
        ],
      }),
    },
    RESET_PASSWORD: {
      subject: 'Choisissez un nouveau mot de passe',
      body: ({ link }) => ({
        paragraphs: ['Un nouveau mot de passe a été demandé pour votre compte.'],
        action: { label: 'Choisir un nouveau mot de passe', link },
        notes: [
          `Le lien fonctionne une seule fois, pendant 30 minutes. ${NEW_LINK_REPLACES}`,
          'Si vous n’avez rien demandé, ignorez ce message\u00a0: votre mot de passe reste le même.',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: 'Votre mot de passe a été modifié',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Le mot de passe de votre compte a été modifié le ${when}, depuis ${ip}.`,
          'Vos autres sessions ont été fermées.',
        ],
        notes: [
          'Si ce n’était pas vous, demandez tout de suite un nouveau mot de passe sur la page de connexion et vérifiez que le compte a toujours votre adresse e-mail.',
        ],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: 'Confirmez votre nouvelle adresse e-mail',
      body: ({ link }) => ({
        paragraphs: [
          'Cette adresse doit devenir l’adresse e-mail de votre compte. Tant que vous ne l’avez pas confirmée, l’ancienne reste en place.',
        ],
        action: { label: 'Confirmer la nouvelle adresse', link },
        notes: [
          'Le lien fonctionne une seule fois, pendant 30 minutes.',
          'Si vous n’avez rien demandé, ignorez ce message\u00a0: rien ne changera.',
        ],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: 'Votre adresse e-mail est sur le point de changer',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `Il a été demandé de remplacer l’adresse e-mail de votre compte par ${newEmailMasked}.`,
          'Si c’était vous, il n’y a rien à faire ici\u00a0: confirmez le changement dans le message envoyé à la nouvelle adresse.',
          'Si ce n’était pas vous, quelqu’un d’autre utilise votre compte. Arrêtez le changement, puis choisissez un nouveau mot de passe.',
        ],
        action: { label: 'Conserver mon adresse', link },
        notes: ['Le lien fonctionne pendant 72 heures, même après le changement.'],
      }),
    },
    EMAIL_CHANGED: {
      subject: 'Votre adresse e-mail a été modifiée',
      body: () => ({
        paragraphs: ['Votre compte a désormais une nouvelle adresse e-mail.'],
        notes: [
          'Si ce n’était pas vous, utilisez le lien de l’avertissement envoyé auparavant à votre ancienne adresse\u00a0; il fonctionne pendant 72 heures.',
        ],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: 'Une phrase de récupération a été créée',
      body: () => ({
        paragraphs: [
          'Une nouvelle phrase de récupération de 12 mots a été créée pour votre compte. Une phrase antérieure n’est plus valable.',
          'Quiconque possède la phrase peut choisir un nouveau mot de passe\u00a0: conservez-la hors ligne.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: 'Votre compte a été récupéré',
      body: () => ({
        paragraphs: [
          'Votre phrase de récupération a servi à choisir un nouveau mot de passe. Toutes les sessions ont été fermées, et la phrase n’est plus valable.',
          'Créez une nouvelle phrase à votre prochaine connexion.',
        ],
        notes: [
          'Si ce n’était pas vous, demandez tout de suite un nouveau mot de passe sur la page de connexion\u00a0: l’autre personne perdra ainsi l’accès.',
        ],
      }),
    },
    SESSION_REUSE: {
      subject: 'Nous avons fermé une de vos sessions',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Un jeton de connexion périmé de votre compte a été utilisé le ${when}, depuis ${ip}. Il a peut-être été copié depuis l’un de vos appareils, nous avons donc fermé cette session.`,
          'Si l’un de vos appareils est déconnecté, il suffit de vous reconnecter.',
        ],
        notes: ['Si cela ne vous dit rien, choisissez un nouveau mot de passe et fermez vos autres sessions.'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'Une clé d’API a été créée',
      body: ({ keyName }) => ({
        paragraphs: [
          `Une nouvelle clé d’API nommée «\u00a0${keyName}\u00a0» a été créée pour votre compte. Elle peut lire ce que ses autorisations permettent, jusqu’à son expiration ou sa révocation.`,
        ],
        notes: [
          'Si ce n’était pas vous, révoquez la clé, choisissez un nouveau mot de passe et fermez vos autres sessions.',
        ],
      }),
    },
    INVITATION: {
      subject: 'Vous avez reçu une invitation',
      body: ({ link, invitedBy }) => ({
        paragraphs: [
          `${invitedBy} a créé un compte pour vous.`,
          'Choisissez un mot de passe pour commencer. Vous pourrez vous connecter avec cette adresse e-mail.',
        ],
        action: { label: 'Choisir un mot de passe', link },
        notes: [
          'Le lien fonctionne une seule fois, pendant 72 heures.',
          'Si vous n’attendiez pas cette invitation, ignorez ce message\u00a0: personne ne peut utiliser le compte sans le lien.',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: 'La validation en deux étapes est activée',
      body: () => ({
        paragraphs: [
          'Désormais, la connexion demande, en plus du mot de passe, un code de votre application d’authentification. Vos autres sessions ont été fermées.',
          'Conservez les codes de secours hors ligne\u00a0: chacun fonctionne une fois, pour le jour où vous n’aurez plus l’application.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: 'La validation en deux étapes est désactivée',
      body: ({ when, ip }) => ({
        paragraphs: [
          `La validation en deux étapes a été désactivée le ${when}, depuis ${ip}. Votre mot de passe suffit désormais pour vous connecter.`,
          'Vos autres sessions ont été fermées.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: 'La validation en deux étapes a été retirée',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Le ${when}, un responsable de ce service a retiré la validation en deux étapes de votre compte.`,
          `Motif indiqué\u00a0: ${reason}`,
          'Votre mot de passe suffit désormais pour vous connecter, et toutes vos sessions ont été fermées. Réactivez la validation en deux étapes dès que possible.',
        ],
        notes: [`Si vous ne l’avez pas demandé, changez de mot de passe maintenant et ${WRITE_TO_OPERATOR}.`],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: 'Vous avez de nouveaux codes de secours',
      body: () => ({
        paragraphs: [
          'De nouveaux codes de secours ont été créés pour votre compte. Les précédents ne sont plus valables.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: 'Votre compte est suspendu',
      body: ({ reason }) => ({
        paragraphs: [
          'Votre compte a été suspendu. Vous ne pouvez pas vous connecter pour le moment, et toutes les sessions ont été fermées.',
          `Motif indiqué\u00a0: ${reason}`,
        ],
        notes: [`Si vous pensez qu’il s’agit d’une erreur, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    ACCOUNT_DELETED: {
      subject: 'Votre compte a été supprimé',
      body: ({ when }) => ({
        paragraphs: [
          'Votre compte a été supprimé. Toutes les sessions et les clés ont pris fin, et votre nom d’utilisateur et votre adresse sont de nouveau libres.',
          `Jusqu’au ${when}, il peut être rétabli. Ensuite, tout ce qui vous concerne sera définitivement détruit.`,
        ],
        notes: [
          `Pour revenir, ou si ce n’était pas vous, ${WRITE_TO_OPERATOR} avant cette date, depuis cette adresse.`,
        ],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: 'Votre compte est rétabli',
      body: ({ username }) => ({
        paragraphs: [
          `Votre compte a été rétabli. Votre nom d’utilisateur est ${username}, et votre mot de passe est celui que vous aviez.`,
          'Reconnectez-vous\u00a0; les sessions et les clés d’avant restent closes.',
        ],
        notes: [`Si vous ne l’avez pas demandé, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    IMPERSONATED: {
      subject: 'Votre compte a été ouvert par un responsable du service',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Le ${when}, un responsable de ce service a ouvert votre compte pour le voir comme vous. Cet accès prend fin de lui-même après 15 minutes.`,
          `Motif indiqué\u00a0: ${reason}`,
          'Il ne permet de modifier ni votre mot de passe, ni votre adresse, ni vos clés, ni ce que vous payez.',
        ],
        notes: [
          'Il figure dans votre historique de sécurité et, tant qu’il dure, parmi vos sessions, où vous pouvez y mettre fin.',
          `Si vous ne vous y attendiez pas, ${WRITE_TO_OPERATOR}.`,
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: 'Bienvenue\u00a0! Votre compte est prêt',
      body: ({ provider }) => ({
        paragraphs: [
          `Votre compte a été créé lorsque vous vous êtes connecté avec ${provider}. L’adresse est considérée comme vérifiée.`,
          'Il n’a pas de mot de passe\u00a0: connectez-vous de la même façon, ou demandez un mot de passe sur la page de connexion si vous en voulez un.',
        ],
        notes: [`Si ce n’était pas vous, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    PROVIDER_LINKED: {
      subject: 'Votre compte a un nouveau moyen de connexion',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Un compte ${provider} a été lié au vôtre le ${when}, depuis ${ip}. Il permet désormais de se connecter.`,
        ],
        notes: [
          'Si ce n’était pas vous, connectez-vous, retirez le compte lié dans les paramètres et choisissez tout de suite un nouveau mot de passe.',
        ],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: 'Votre compte n’est plus qu’à vous',
      body: ({ provider }) => ({
        paragraphs: [
          `Quelqu’un avait créé un compte avec votre adresse sans la vérifier. Vous l’avez vérifiée en vous connectant avec ${provider}\u00a0: le compte est à vous.`,
          'Le mot de passe, les sessions et les clés d’avant ne fonctionnent plus.',
        ],
        notes: [
          'Si vous l’aviez créé vous-même, il n’y a rien à faire\u00a0: choisissez un nouveau mot de passe si vous en voulez un.',
        ],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: 'Un moyen de connexion a été retiré',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Le compte ${provider} a été dissocié du vôtre le ${when}, depuis ${ip}. Il ne permet plus de se connecter.`,
          'Vos autres sessions ont été fermées.',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: 'Connexion depuis un nouvel appareil',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Quelqu’un s’est connecté à votre compte avec ${provider} le ${when}, depuis ${ip}, sur un appareil qui n’avait pas encore servi.`,
        ],
        notes: ['Si ce n’était pas vous, protégez d’abord votre compte là-bas, puis fermez ici vos autres sessions.'],
      }),
    },
    DATA_EXPORT_READY: {
      subject: 'L’export de vos données est prêt',
      body: ({ when }) => ({
        paragraphs: [
          'Le fichier contenant tout ce qui est conservé à votre sujet est prêt. Pour le récupérer, connectez-vous et confirmez votre mot de passe.',
          `Il sera supprimé le ${when}.`,
        ],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: 'Un point de réception de webhooks a été désactivé',
      body: ({ host, when }) => ({
        paragraphs: [
          `Plus aucun événement n’est envoyé à ${host}.`,
          `Il a été désactivé le ${when}, parce qu’il a annoncé sa disparition ou n’a rien accepté pendant trois jours.`,
        ],
        notes: [
          'Réactivez-le dès qu’il fonctionne et envoyez-lui ce qui lui manque : updateWebhookEndpoint et redeliverWebhook.',
        ],
      }),
    },
    ACCOUNT_ERASED: {
      subject: 'Vos données ont été effacées',
      body: () => ({
        paragraphs: [
          'Votre compte et tout ce qui était conservé à votre sujet ont été effacés. Il n’est pas possible de les rétablir.',
          'Les écritures comptables subsistent, sans votre nom.',
        ],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: 'Nous avons bien reçu votre paiement',
      body: ({ amount, product }) => ({
        paragraphs: [`Nous avons bien reçu ${amount} pour ${product}. Merci.`],
        notes: ['Vous trouverez factures et reçus dans l’espace de facturation de votre compte.'],
      }),
    },
    PAYMENT_FAILED: {
      subject: 'Votre paiement a échoué',
      body: ({ amount, product }) => ({
        paragraphs: [
          `Nous n’avons pas pu encaisser ${amount} pour ${product}.`,
          'Veuillez vérifier votre moyen de paiement. Nous réessaierons dans les prochains jours\u00a0; en cas de nouvel échec, l’abonnement prendra fin.',
        ],
        notes: ['Si vous avez déjà fait le nécessaire, vous n’avez rien d’autre à faire.'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: 'Votre abonnement va prendre fin',
      body: ({ product, when }) => ({
        paragraphs: [
          `${product} ne sera pas renouvelé. Vous pouvez l’utiliser jusqu’au ${when} et rien de plus ne sera débité.`,
        ],
        notes: ['D’ici là, vous pouvez changer d’avis dans l’espace de facturation de votre compte.'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: 'Votre abonnement a pris fin',
      body: ({ product }) => ({
        paragraphs: [`${product} a pris fin. Rien de plus ne sera débité.`],
        notes: ['Votre compte et vos crédits restent à votre disposition.'],
      }),
    },
  },
};
