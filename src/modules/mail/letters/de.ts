import type { LetterTexts } from '../letter-texts.js';

const NOT_YOU =
  'Wenn Sie das nicht waren, vergeben Sie sofort ein neues Passwort und beenden Sie Ihre anderen Sitzungen.';
const NEW_LINK_REPLACES = 'Er ersetzt die Links aus früheren Nachrichten.';
const WRITE_TO_OPERATOR = 'wenden Sie sich bitte an den Betreiber dieses Dienstes';

/** Formal (Sie), as services in German write to people they do not know. */
export const de: LetterTexts = {
  language: 'de',
  greeting: (username) => `Guten Tag ${username},`,
  linkHint: 'Falls die Schaltfläche nicht funktioniert, kopieren Sie diese Adresse in Ihren Browser:',
  footer: (brand) =>
    `Diese Nachricht hat ${brand} Ihnen zu einem Konto mit dieser E-Mail-Adresse geschickt. Antworten darauf werden nicht gelesen.`,
  unknownPlace: 'einer unbekannten Adresse',
  letters: {
    WELCOME_VERIFY: {
      subject: 'Willkommen! Bitte bestätigen Sie Ihre E-Mail-Adresse',
      body: ({ link }) => ({
        paragraphs: ['Ihr Konto ist eingerichtet.', 'Bitte bestätigen Sie, dass diese E-Mail-Adresse Ihnen gehört.'],
        action: { label: 'E-Mail-Adresse bestätigen', link },
        notes: [
          'Der Link gilt 24 Stunden und funktioniert nur einmal.',
          'Wenn Sie sich nicht registriert haben, ignorieren Sie diese Nachricht: Ohne Ihre Bestätigung bleibt die Adresse unbestätigt.',
        ],
      }),
    },
    VERIFY_EMAIL: {
      subject: 'Bitte bestätigen Sie Ihre E-Mail-Adresse',
      body: ({ link }) => ({
        paragraphs: ['Bitte bestätigen Sie, dass diese E-Mail-Adresse Ihnen gehört.'],
        action: { label: 'E-Mail-Adresse bestätigen', link },
        notes: [
          `Der Link gilt 24 Stunden und funktioniert nur einmal. ${NEW_LINK_REPLACES}`,
          'Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht.',
        ],
      }),
    },
    ALREADY_REGISTERED: {
      subject: 'Sie haben bereits ein Konto',
      body: ({ link }) => ({
        paragraphs: [
          'Jemand, vielleicht Sie selbst, wollte sich mit dieser E-Mail-Adresse registrieren. Zu ihr gibt es bereits ein Konto, deshalb wurde kein zweites angelegt.',
          'Melden Sie sich mit Ihrem bisherigen Passwort an. Wenn Sie es nicht mehr wissen, vergeben Sie ein neues.',
        ],
        action: { label: 'Neues Passwort vergeben', link },
        notes: [
          'Der Link gilt 30 Minuten und funktioniert nur einmal.',
          'Wenn Sie sich nicht registrieren wollten, ignorieren Sie diese Nachricht: Es hat sich nichts geändert.',
        ],
      }),
    },
    RESET_PASSWORD: {
      subject: 'Neues Passwort vergeben',
      body: ({ link }) => ({
        paragraphs: ['Für Ihr Konto wurde ein neues Passwort angefordert.'],
        action: { label: 'Neues Passwort vergeben', link },
        notes: [
          `Der Link gilt 30 Minuten und funktioniert nur einmal. ${NEW_LINK_REPLACES}`,
          'Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht: Ihr Passwort bleibt, wie es ist.',
        ],
      }),
    },
    PASSWORD_CHANGED: {
      subject: 'Ihr Passwort wurde geändert',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Das Passwort Ihres Kontos wurde am ${when} von ${ip} aus geändert.`,
          'Ihre anderen Sitzungen wurden abgemeldet.',
        ],
        notes: [
          'Wenn Sie das nicht waren, fordern Sie auf der Anmeldeseite sofort ein neues Passwort an und prüfen Sie, ob im Konto noch Ihre E-Mail-Adresse steht.',
        ],
      }),
    },
    EMAIL_CHANGE_CONFIRM: {
      subject: 'Bitte bestätigen Sie Ihre neue E-Mail-Adresse',
      body: ({ link }) => ({
        paragraphs: [
          'Diese Adresse soll die E-Mail-Adresse Ihres Kontos werden. Bis Sie sie bestätigen, bleibt es bei der alten.',
        ],
        action: { label: 'Neue Adresse bestätigen', link },
        notes: [
          'Der Link gilt 30 Minuten und funktioniert nur einmal.',
          'Wenn Sie das nicht angefordert haben, ignorieren Sie diese Nachricht: Es ändert sich nichts.',
        ],
      }),
    },
    EMAIL_CHANGE_WARNING: {
      subject: 'Ihre E-Mail-Adresse soll geändert werden',
      body: ({ newEmailMasked, link }) => ({
        paragraphs: [
          `Die E-Mail-Adresse Ihres Kontos soll in ${newEmailMasked} geändert werden.`,
          'Wenn Sie das veranlasst haben, müssen Sie hier nichts tun: Bestätigen Sie die Änderung über die Nachricht an die neue Adresse.',
          'Wenn nicht, benutzt jemand anderes Ihr Konto. Stoppen Sie die Änderung und vergeben Sie danach ein neues Passwort.',
        ],
        action: { label: 'Meine Adresse behalten', link },
        notes: ['Der Link gilt 72 Stunden, auch nach der Änderung noch.'],
      }),
    },
    EMAIL_CHANGED: {
      subject: 'Ihre E-Mail-Adresse wurde geändert',
      body: () => ({
        paragraphs: ['Ihr Konto hat jetzt eine neue E-Mail-Adresse.'],
        notes: [
          'Wenn Sie das nicht waren, nutzen Sie den Link in der Warnung, die zuvor an Ihre alte Adresse ging; er gilt 72 Stunden.',
        ],
      }),
    },
    RECOVERY_PHRASE_CREATED: {
      subject: 'Eine Wiederherstellungsphrase wurde erstellt',
      body: () => ({
        paragraphs: [
          'Für Ihr Konto wurde eine neue Wiederherstellungsphrase aus 12 Wörtern erstellt. Eine frühere Phrase gilt nicht mehr.',
          'Wer die Phrase kennt, kann ein neues Passwort vergeben: Bewahren Sie sie offline auf.',
        ],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_RECOVERED: {
      subject: 'Ihr Konto wurde wiederhergestellt',
      body: () => ({
        paragraphs: [
          'Mit Ihrer Wiederherstellungsphrase wurde ein neues Passwort vergeben. Alle Sitzungen wurden abgemeldet, und die Phrase gilt nicht mehr.',
          'Erstellen Sie nach der Anmeldung eine neue Phrase.',
        ],
        notes: [
          'Wenn Sie das nicht waren, fordern Sie auf der Anmeldeseite sofort ein neues Passwort an: Das sperrt die andere Person aus.',
        ],
      }),
    },
    SESSION_REUSE: {
      subject: 'Wir haben eine Ihrer Sitzungen abgemeldet',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Am ${when} wurde von ${ip} aus ein veralteter Anmeldeschlüssel von Ihnen benutzt. Er wurde vielleicht von einem Ihrer Geräte kopiert, deshalb haben wir diese Sitzung beendet.`,
          'Sollten Sie irgendwo abgemeldet sein, melden Sie sich einfach neu an.',
        ],
        notes: ['Wenn Ihnen das nichts sagt, vergeben Sie ein neues Passwort und beenden Sie Ihre anderen Sitzungen.'],
      }),
    },
    API_KEY_CREATED: {
      subject: 'Ein API-Schlüssel wurde erstellt',
      body: ({ keyName }) => ({
        paragraphs: [
          `Für Ihr Konto wurde ein neuer API-Schlüssel mit dem Namen „${keyName}“ erstellt. Er kann lesen, was seine Berechtigungen erlauben, bis er abläuft oder Sie ihn widerrufen.`,
        ],
        notes: [
          'Wenn Sie das nicht waren, widerrufen Sie den Schlüssel, vergeben Sie ein neues Passwort und beenden Sie Ihre anderen Sitzungen.',
        ],
      }),
    },
    INVITATION: {
      subject: 'Sie sind eingeladen',
      body: ({ link, invitedBy }) => ({
        paragraphs: [
          `${invitedBy} hat ein Konto für Sie angelegt.`,
          'Wählen Sie zum Einstieg ein Passwort. Anmelden können Sie sich mit dieser E-Mail-Adresse.',
        ],
        action: { label: 'Passwort wählen', link },
        notes: [
          'Der Link gilt 72 Stunden und funktioniert nur einmal.',
          'Wenn Sie diese Einladung nicht erwarten, ignorieren Sie diese Nachricht: Ohne den Link kann niemand das Konto benutzen.',
        ],
      }),
    },
    SECOND_FACTOR_ENABLED: {
      subject: 'Anmeldung in zwei Schritten ist eingeschaltet',
      body: () => ({
        paragraphs: [
          'Ab jetzt brauchen Sie zur Anmeldung neben dem Passwort einen Code aus Ihrer Authenticator-App. Ihre anderen Sitzungen wurden abgemeldet.',
          'Bewahren Sie die Ersatzcodes offline auf: Jeder gilt einmal, für den Tag, an dem Ihnen die App fehlt.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_DISABLED: {
      subject: 'Anmeldung in zwei Schritten ist ausgeschaltet',
      body: ({ when, ip }) => ({
        paragraphs: [
          `Die Anmeldung in zwei Schritten wurde am ${when} von ${ip} aus ausgeschaltet. Zur Anmeldung genügt jetzt Ihr Passwort.`,
          'Ihre anderen Sitzungen wurden abgemeldet.',
        ],
        notes: [NOT_YOU],
      }),
    },
    SECOND_FACTOR_REMOVED: {
      subject: 'Die Anmeldung in zwei Schritten wurde aufgehoben',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Am ${when} hat eine Person vom Betreiber dieses Dienstes die Anmeldung in zwei Schritten von Ihrem Konto genommen.`,
          `Angegebener Grund: ${reason}`,
          'Zur Anmeldung genügt jetzt Ihr Passwort, und alle Sitzungen wurden abgemeldet. Richten Sie die Anmeldung in zwei Schritten bald wieder ein.',
        ],
        notes: [`Wenn Sie nicht darum gebeten haben, vergeben Sie jetzt ein neues Passwort, und ${WRITE_TO_OPERATOR}.`],
      }),
    },
    BACKUP_CODES_REPLACED: {
      subject: 'Sie haben neue Ersatzcodes',
      body: () => ({
        paragraphs: ['Für Ihr Konto wurden neue Ersatzcodes erstellt. Die früheren gelten nicht mehr.'],
        notes: [NOT_YOU],
      }),
    },
    ACCOUNT_SUSPENDED: {
      subject: 'Ihr Konto ist gesperrt',
      body: ({ reason }) => ({
        paragraphs: [
          'Ihr Konto wurde gesperrt. Sie können sich vorerst nicht anmelden, und alle Sitzungen wurden beendet.',
          `Angegebener Grund: ${reason}`,
        ],
        notes: [`Wenn Sie das für einen Irrtum halten, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    ACCOUNT_DELETED: {
      subject: 'Ihr Konto wurde gelöscht',
      body: ({ when }) => ({
        paragraphs: [
          'Ihr Konto wurde gelöscht. Alle Sitzungen und Schlüssel sind beendet, Benutzername und Adresse sind wieder frei.',
          `Bis zum ${when} kann es wiederhergestellt werden. Danach wird alles über Sie endgültig vernichtet.`,
        ],
        notes: [
          `Wenn Sie zurückkommen möchten oder das nicht waren, ${WRITE_TO_OPERATOR}, und zwar vor diesem Tag und von dieser Adresse aus.`,
        ],
      }),
    },
    ACCOUNT_RESTORED: {
      subject: 'Ihr Konto ist wieder da',
      body: ({ username }) => ({
        paragraphs: [
          `Ihr Konto wurde wiederhergestellt. Der Benutzername lautet ${username}, und es gilt Ihr bisheriges Passwort.`,
          'Melden Sie sich neu an; frühere Sitzungen und Schlüssel bleiben beendet.',
        ],
        notes: [`Wenn Sie das nicht wollten, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    IMPERSONATED: {
      subject: 'Der Betreiber hat Ihr Konto geöffnet',
      body: ({ when, reason }) => ({
        paragraphs: [
          `Am ${when} hat eine Person vom Betreiber dieses Dienstes Ihr Konto geöffnet, um es so zu sehen wie Sie. Nach 15 Minuten endet das von selbst.`,
          `Angegebener Grund: ${reason}`,
          'Passwort, Adresse, Schlüssel und Zahlungen können dabei nicht verändert werden.',
        ],
        notes: [
          'Der Vorgang steht in Ihrem Sicherheitsverlauf und, solange er dauert, unter Ihren Sitzungen; dort können Sie ihn beenden.',
          `Wenn Sie das nicht erwartet haben, ${WRITE_TO_OPERATOR}.`,
        ],
      }),
    },
    PROVIDER_WELCOME: {
      subject: 'Willkommen! Ihr Konto ist bereit',
      body: ({ provider }) => ({
        paragraphs: [
          `Ihr Konto wurde angelegt, als Sie sich mit ${provider} angemeldet haben. Die Adresse gilt als bestätigt.`,
          'Es hat kein Passwort: Melden Sie sich wieder genauso an, oder fordern Sie auf der Anmeldeseite ein Passwort an, wenn Sie eines haben möchten.',
        ],
        notes: [`Wenn Sie das nicht waren, ${WRITE_TO_OPERATOR}.`],
      }),
    },
    PROVIDER_LINKED: {
      subject: 'Ihr Konto hat einen neuen Anmeldeweg',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Ein Konto bei ${provider} wurde am ${when} von ${ip} aus mit Ihrem verknüpft. Damit ist ab jetzt die Anmeldung möglich.`,
        ],
        notes: [
          'Wenn Sie das nicht waren, melden Sie sich an, entfernen Sie das verknüpfte Konto in den Einstellungen und vergeben Sie sofort ein neues Passwort.',
        ],
      }),
    },
    PROVIDER_TOOK_OVER: {
      subject: 'Ihr Konto gehört jetzt Ihnen allein',
      body: ({ provider }) => ({
        paragraphs: [
          `Jemand hatte mit Ihrer Adresse ein Konto angelegt, ohne sie zu bestätigen. Mit der Anmeldung über ${provider} haben Sie sie bestätigt, und das Konto gehört Ihnen.`,
          'Das frühere Passwort, die früheren Sitzungen und Schlüssel gelten nicht mehr.',
        ],
        notes: [
          'Wenn Sie es selbst angelegt haben, ist nichts zu tun: Vergeben Sie ein neues Passwort, wenn Sie eines möchten.',
        ],
      }),
    },
    PROVIDER_UNLINKED: {
      subject: 'Ein Anmeldeweg wurde entfernt',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Die Verknüpfung mit dem Konto bei ${provider} wurde am ${when} von ${ip} aus gelöst. Damit ist keine Anmeldung mehr möglich.`,
          'Ihre anderen Sitzungen wurden abgemeldet.',
        ],
        notes: [NOT_YOU],
      }),
    },
    PROVIDER_SIGN_IN: {
      subject: 'Anmeldung mit einem neuen Gerät',
      body: ({ provider, when, ip }) => ({
        paragraphs: [
          `Bei Ihrem Konto hat sich am ${when} von ${ip} aus jemand mit ${provider} angemeldet, mit einem bisher nicht benutzten Gerät.`,
        ],
        notes: [
          'Wenn Sie das nicht waren, sichern Sie zuerst Ihr Konto dort und beenden Sie dann hier Ihre anderen Sitzungen.',
        ],
      }),
    },
    DATA_EXPORT_READY: {
      subject: 'Ihr Datenexport ist fertig',
      body: ({ when }) => ({
        paragraphs: [
          'Die Datei mit allem, was über Sie gespeichert ist, liegt bereit. Um sie abzuholen, melden Sie sich an und bestätigen Sie Ihr Passwort.',
          `Sie wird am ${when} gelöscht.`,
        ],
        notes: [NOT_YOU],
      }),
    },
    WEBHOOK_DISABLED: {
      subject: 'Ein Webhook-Endpunkt wurde abgeschaltet',
      body: ({ host, when }) => ({
        paragraphs: [
          `An ${host} werden keine Ereignisse mehr gesendet.`,
          `Er wurde am ${when} abgeschaltet, weil er sich abgemeldet oder drei Tage lang nichts angenommen hat.`,
        ],
        notes: [
          'Schalten Sie ihn wieder ein, sobald er arbeitet, und senden Sie ihm nach, was ihm fehlt: updateWebhookEndpoint und redeliverWebhook.',
        ],
      }),
    },
    ACCOUNT_ERASED: {
      subject: 'Ihre Daten wurden gelöscht',
      body: () => ({
        paragraphs: [
          'Ihr Konto und alles, was über Sie gespeichert war, wurden endgültig gelöscht. Es lässt sich nicht wiederherstellen.',
          'Buchungen bleiben erhalten, ohne Ihren Namen.',
        ],
      }),
    },
    PAYMENT_RECEIVED: {
      subject: 'Ihre Zahlung ist eingegangen',
      body: ({ amount, product }) => ({
        paragraphs: [`Wir haben ${amount} für ${product} erhalten. Vielen Dank.`],
        notes: ['Rechnungen und Belege finden Sie im Abrechnungsbereich Ihres Kontos.'],
      }),
    },
    PAYMENT_FAILED: {
      subject: 'Ihre Zahlung ist fehlgeschlagen',
      body: ({ amount, product }) => ({
        paragraphs: [
          `Der Betrag von ${amount} für ${product} konnte nicht eingezogen werden.`,
          'Bitte prüfen Sie Ihre Zahlungsart. Wir versuchen es in den nächsten Tagen erneut; gelingt auch das nicht, endet das Abonnement.',
        ],
        notes: ['Wenn Sie das bereits erledigt haben, müssen Sie nichts weiter tun.'],
      }),
    },
    SUBSCRIPTION_ENDING: {
      subject: 'Ihr Abonnement läuft aus',
      body: ({ product, when }) => ({
        paragraphs: [
          `${product} wird nicht verlängert. Sie können es noch bis zum ${when} nutzen; weitere Kosten entstehen nicht.`,
        ],
        notes: ['Bis dahin können Sie die Kündigung im Abrechnungsbereich Ihres Kontos zurücknehmen.'],
      }),
    },
    SUBSCRIPTION_ENDED: {
      subject: 'Ihr Abonnement ist beendet',
      body: ({ product }) => ({
        paragraphs: [`${product} ist beendet. Weitere Kosten entstehen nicht.`],
        notes: ['Ihr Konto und Ihr Guthaben bleiben erhalten.'],
      }),
    },
  },
};
