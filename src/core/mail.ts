export interface Letter {
  /** One address, without a name. */
  to: string;
  /** `Name <address>` or an address: the operator's setting. */
  from: string;
  subject: string;
  text: string;
  html: string;
  /** The same letter sent twice carries the same key: the mailbox keeps one, receivers see one Message-ID. */
  idempotencyKey: string;
  /** It was tried before, and how that ended is not known: whoever keeps letters looks whether it has this one. */
  isRepeat?: boolean;
}

/** A letter in the development mailbox. */
export interface StoredLetter {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  /** Every http(s) link of the text, in order. */
  links: string[];
  /** RFC 3339, UTC. */
  createdAt: string;
}

export interface Mailer {
  /** Resolves when the next server (or the mailbox) has taken the letter. Throws `MailError`. */
  send(letter: Letter): Promise<void>;
  /** Newest first. The development mailbox only. */
  list?(): Promise<StoredLetter[]>;
  close(): Promise<void>;
}

/** A letter was not taken. Holds a short code that may be stored and logged, never an address or a sentence of the server. */
export class MailError extends Error {
  constructor(
    /** Such as `ETIMEDOUT` or `EENVELOPE_550`. */
    readonly code: string,
    /** The receiving side refused this very letter for good; trying again is of little use. */
    readonly permanent: boolean,
    /** How long the receiving side wants to be left alone, when it said so. */
    readonly retryAfterSeconds?: number,
  ) {
    super(code);
    this.name = 'MailError';
  }
}

/** One recipient, exactly; no character that could begin another header, address or SMTP command. */
const ONE_ADDRESS = /^[^\s\p{C}<>()[\]\\,;:"@]{1,64}@[^\s\p{C}<>()[\]\\,;:"@]{1,255}$/u;

const SENDER = /^(?<name>[^<>]*)<(?<address>[^<>]+)>\s*$/;

/** What is not exactly one address is sent nowhere. @throws MailError */
export function requireRecipient(address: string): string {
  if (!ONE_ADDRESS.test(address)) throw new MailError('EADDRESS', true);
  return address;
}

interface Sender {
  name: string;
  address: string;
}

/** `Name <address>` or `address`, as the setting has it; undefined when it is neither. */
export function findSender(from: string): Sender | undefined {
  const match = SENDER.exec(from)?.groups;
  const address = (match?.address ?? from).trim();
  if (!ONE_ADDRESS.test(address)) return undefined;
  return { name: oneLine(match?.name ?? '').replace(/^"(.*)"$/, '$1'), address };
}

/** The same. @throws MailError */
export function parseSender(from: string): Sender {
  const sender = findSender(from);
  if (!sender) throw new MailError('ESENDER', false);
  return sender;
}

/** Without control characters and line ends (CWE-93). */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

/** Whose letters they are, in their own words: the name in the sender. */
export function brandOf(from: string): string {
  return parseSender(from).name || 'Credence';
}
