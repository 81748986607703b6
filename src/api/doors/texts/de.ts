import type { PageTexts } from '../page-texts.js';

export const de: PageTexts = {
  language: 'de',
  pages: {
    '/verify-email': {
      title: 'E-Mail-Adresse bestätigen',
      intro: 'Bestätigen Sie mit der Schaltfläche, dass diese E-Mail-Adresse Ihnen gehört.',
      button: 'E-Mail-Adresse bestätigen',
      done: 'Ihre E-Mail-Adresse ist bestätigt. Sie können diese Seite schließen.',
    },
    '/reset-password': {
      title: 'Neues Passwort vergeben',
      intro: 'Wählen Sie ein neues Passwort für Ihr Konto. Alle Ihre Sitzungen werden abgemeldet.',
      button: 'Neues Passwort vergeben',
      done: 'Ihr neues Passwort gilt jetzt. Melden Sie sich damit an.',
    },
    '/confirm-email-change': {
      title: 'Neue E-Mail-Adresse bestätigen',
      intro: 'Machen Sie dies mit der Schaltfläche zu Ihrer E-Mail-Adresse.',
      button: 'Neue Adresse bestätigen',
      done: 'Ihr Konto hat jetzt die neue E-Mail-Adresse. Sie können diese Seite schließen.',
    },
    '/undo-email-change': {
      title: 'E-Mail-Adresse behalten',
      intro: 'Mit der Schaltfläche stoppen Sie die Änderung Ihrer E-Mail-Adresse oder machen sie rückgängig.',
      button: 'Meine Adresse behalten',
      done: 'Ihr Konto behält diese E-Mail-Adresse. Vergeben Sie jetzt ein neues Passwort: Jemand anderes kennt vielleicht das alte.',
    },
    '/accept-invitation': {
      title: 'Passwort wählen',
      intro: 'Ihr Konto ist bereit. Wählen Sie zum Einstieg ein Passwort.',
      button: 'Passwort wählen',
      done: 'Ihr Passwort gilt jetzt. Sie können sich anmelden.',
    },
  },
  afterCheckout: {
    complete: {
      title: 'Vielen Dank',
      text: 'Ihre Zahlung ist unterwegs. Sie zählt, sobald Stripe sie bestätigt, meist nach wenigen Sekunden. Sie können diese Seite schließen.',
    },
    canceled: {
      title: 'Es wurde nichts bezahlt',
      text: 'Sie haben den Vorgang vor der Zahlung verlassen. Sie können diese Seite schließen.',
    },
  },
  done: 'Erledigt',
  failed: 'Das hat nicht geklappt',
  problem: (title) => `Problem: ${title}`,
  incomplete: {
    title: 'Dieser Link ist unvollständig',
    advice: 'Ein Teil der Adresse fehlt. Kopieren Sie den ganzen Link aus der Nachricht in Ihren Browser.',
  },
  problems: {
    TOKEN_INVALID: 'Dieser Link gilt nicht.',
    TOKEN_EXPIRED: 'Dieser Link ist abgelaufen.',
    ACCOUNT_SUSPENDED: 'Das Konto ist gesperrt.',
    USER_ALREADY_EXISTS: 'Diese Adresse gehört inzwischen zu einem anderen Konto.',
    RATE_LIMITED: 'Zu viele Versuche. Warten Sie bitte einen Moment und versuchen Sie es dann noch einmal.',
    RETRY_LATER: 'Das geht gerade nicht. Versuchen Sie es bitte gleich noch einmal.',
    INTERNAL_SERVER_ERROR: 'Bei uns ist etwas schiefgegangen.',
  },
  askAgain:
    'Der Link wurde schon benutzt, ist zu alt oder wurde durch eine neuere Nachricht ersetzt. Fordern Sie eine neue Nachricht an.',
  request: (id) => `Anfrage ${id}`,
  password: 'Neues Passwort',
  repeated: 'Noch einmal dasselbe',
  rule: (minLength) => `Mindestens ${minLength} Zeichen. Mehrere Wörter ergeben ein gutes Passwort.`,
  different: 'Die beiden Passwörter stimmen nicht überein.',
  weak: ({ minLength }) => [
    `Dieses Passwort ist zu kurz oder zu leicht zu erraten. Nehmen Sie mindestens ${minLength} Zeichen und nicht Ihren Namen, Ihre Adresse oder ein gängiges Wort.`,
  ],
};
