import { CredenceError } from './errors.js';
import { type Moment, momentNow } from './forgotten.js';
import type { Ask } from './graphql.js';
import type { Profile, TokenQuestion, TokenRefusal, Viewer } from './viewer.js';

/** What the server said, and from when on it may have been otherwise: the moment at which it was asked. */
export interface Verdict {
  answer: { valid: true; viewer: Viewer } | { valid: false; code: TokenRefusal };
  asOf: Moment;
}

/** As many aliases as the server allows in a service's document. */
const MOST_TOKENS = 20;

const ANSWER = `fragment Answer on TokenValidation {
  valid code kind expiresAt sessionId scopes impersonatedBy readOnly
  user { id username email emailVerified } plan { code } staff { id username level } admin { id username }
}`;

/** One document for each number of tokens, so that the server finds them again among those it has validated. */
const documents = Array.from({ length: MOST_TOKENS + 1 }, (_, count) => {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const variables = numbers.map((n) => `$t${n}: String!, $s${n}: [String!], $i${n}: String`).join(', ');
  const fields = numbers.map((n) => `t${n}: validateToken(token: $t${n}, scopes: $s${n}, ip: $i${n}) { ...Answer }`);
  return `query(${variables}) { ${fields.join(' ')} } ${ANSWER}`;
});

interface RawAnswer {
  valid: boolean;
  code: TokenRefusal;
  kind: Viewer['kind'] | null;
  expiresAt: string | null;
  sessionId: string | null;
  scopes: string[] | null;
  impersonatedBy: string | null;
  readOnly: boolean;
  user: { id: string; username: string; email: string; emailVerified: boolean } | null;
  plan: { code: string } | null;
  staff: { id: string; username: string; level: number } | null;
  admin: { id: string; username: string } | null;
}

function viewerOf(raw: RawAnswer): Viewer | undefined {
  const { kind, user, staff, admin, expiresAt, sessionId, scopes, impersonatedBy, readOnly } = raw;
  if (expiresAt === null) return undefined;
  const common = { expiresAt, sessionId, scopes, impersonatedBy, readOnly };
  if ((kind === 'USER' || kind === 'API_KEY') && user) {
    const { id, username, email, emailVerified } = user;
    const profile: Profile = { email, emailVerified, planCode: raw.plan?.code ?? '' };
    return { kind, id, username, ...common, profile };
  }
  if (kind === 'STAFF' && staff) return { kind, ...staff, ...common };
  if (kind === 'ADMIN' && admin) return { kind, ...admin, ...common };
  return undefined;
}

function answerOf(raw: RawAnswer | undefined): Verdict['answer'] {
  if (raw && !raw.valid) return { valid: false, code: raw.code };
  const viewer = raw && viewerOf(raw);
  if (viewer) return { valid: true, viewer };
  throw new CredenceError('BAD_ANSWER', { message: 'Credence said that a token is good, but not whose it is.' });
}

interface Waiting {
  question: TokenQuestion;
  resolve(verdict: Verdict): void;
  reject(error: unknown): void;
}

/** Asks for tokens; those of one turn of the event loop go together, up to twenty in a request. */
export function createTokenBatch(ask: Ask): (question: TokenQuestion) => Promise<Verdict> {
  let waiting: Waiting[] = [];

  async function send(batch: readonly Waiting[]): Promise<void> {
    const asOf = momentNow();
    const variables = Object.fromEntries(
      batch.flatMap(({ question: { token, scopes, ip } }, n) => [
        [`t${n}`, token],
        [`s${n}`, scopes],
        [`i${n}`, ip],
      ]),
    );
    try {
      const data = await ask({ document: documents[batch.length] ?? '', variables, isSafe: true });
      const answers = batch.map((_, n) => answerOf(data[`t${n}`] as RawAnswer | undefined));
      for (const [n, answer] of answers.entries()) batch[n]?.resolve({ answer, asOf });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function flush(): void {
    const all = waiting;
    waiting = [];
    for (let at = 0; at < all.length; at += MOST_TOKENS) void send(all.slice(at, at + MOST_TOKENS));
  }

  return (question) =>
    new Promise((resolve, reject) => {
      // After what has already arrived was read: requests that came together are asked for together.
      if (waiting.push({ question, resolve, reject }) === 1) setImmediate(flush);
    });
}
