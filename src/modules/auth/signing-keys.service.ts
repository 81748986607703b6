// Invariants: one key is CURRENT and one NEXT, from the first start on; a key is published before it signs, and
// verifies after it stopped until its last token is over; private keys stand in the database only sealed, and not at
// all once they are retired. All of it is decided under one lock, so that two who rotate do it one after the other.
import { and, desc, eq, gt, inArray, lte, or, sql } from 'drizzle-orm';
import { type Actor, type App, SYSTEM_ACTOR } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { found } from '../../core/input.js';
import { type Connection, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { LEEWAY_SECONDS, makeSigningKey, type SigningKey, type Tokens } from '../../core/tokens.js';
import { recordAudit } from '../audit/audit.service.js';
import { signingKeys } from './auth.table.js';

/** A trigger notifies on this channel when a key is made or changes its state. */
export const KEYS_CHANNEL = 'credence_keys';

/** An instance that hears no notifications has the new key by then: so much longer the one before it verifies. */
export const RELOAD_SECONDS = 60;

const ROTATE_EVERY_MS = 30 * 86_400_000;
const SEAL_PURPOSE = 'signing-key';

export type SigningKeyRow = Pick<
  typeof signingKeys.$inferSelect,
  'kid' | 'algorithm' | 'state' | 'createdAt' | 'retiredAt'
>;

const SHOWN = {
  kid: signingKeys.kid,
  algorithm: signingKeys.algorithm,
  state: signingKeys.state,
  createdAt: signingKeys.createdAt,
  retiredAt: signingKeys.retiredAt,
};

/** Until the transaction ends nobody else makes or moves a key. */
async function lockKeys(app: App): Promise<void> {
  await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('signing-keys'), 0)`);
}

async function addKey(app: App, options: { state: 'CURRENT' | 'NEXT'; actor: Actor }): Promise<SigningKeyRow> {
  const { state, actor } = options;
  const { kid, algorithm, publicJwk, privateJwk } = await makeSigningKey(app.config.tokens.algorithm);
  const [row] = await app.db
    .insert(signingKeys)
    .values({
      kid,
      algorithm,
      state,
      publicJwk: JSON.stringify(publicJwk),
      sealedPrivateJwk: app.secrets.encrypt(SEAL_PURPOSE, JSON.stringify(privateJwk), kid),
      createdAt: app.now(),
    })
    .returning(SHOWN);
  const target = { kind: 'signing_key', id: kid };
  await recordAudit(app, { actor, action: 'signing_key.created', target, after: { algorithm, state } });
  return found(row);
}

async function makeMissingKeys(app: App): Promise<void> {
  await transact(app, async (app) => {
    await lockKeys(app);
    const rows = await app.db.select(SHOWN).from(signingKeys);
    for (const state of ['CURRENT', 'NEXT'] as const)
      if (!rows.some((row) => row.state === state)) await addKey(app, { state, actor: SYSTEM_ACTOR });
  });
}

/** The keys that verify at this moment. */
async function readKeys(app: App): Promise<SigningKey[]> {
  const verifying = and(eq(signingKeys.state, 'PREVIOUS'), gt(signingKeys.retiredAt, app.now()));
  const rows = await app.db
    .select()
    .from(signingKeys)
    .where(or(inArray(signingKeys.state, ['NEXT', 'CURRENT']), verifying));
  return rows.map((row) => ({
    kid: row.kid,
    algorithm: row.algorithm,
    state: row.state as SigningKey['state'],
    publicJwk: JSON.parse(row.publicJwk),
    privateJwk: JSON.parse(app.secrets.decrypt(SEAL_PURPOSE, row.sealedPrivateJwk, row.kid)),
  }));
}

async function readIntoTokens(app: App): Promise<void> {
  let keys = await readKeys(app);
  if (!(['CURRENT', 'NEXT'] as const).every((state) => keys.some((key) => key.state === state))) {
    await makeMissingKeys(app);
    keys = await readKeys(app);
  }
  await app.tokens.loadKeys(keys);
}

const loading = new WeakMap<Tokens, Promise<void>>();

/**
 * Loads the key set into `app.tokens`; makes the first keys when there are none. Safe with any number of starters. One
 * load at a time, so that what was read last is what stays.
 */
export async function loadSigningKeys(app: App): Promise<void> {
  app.tokens.onUnknownKey(() => loadSigningKeys(app));
  const before = loading.get(app.tokens)?.catch(() => undefined);
  const load = Promise.resolve(before).then(() => readIntoTokens(app));
  loading.set(app.tokens, load);
  await load;
}

/** A key past its time is RETIRED, whether or not somebody has written so yet. */
function asOf(now: Date): (row: SigningKeyRow) => SigningKeyRow {
  return (row) =>
    row.state === 'PREVIOUS' && row.retiredAt && row.retiredAt <= now ? { ...row, state: 'RETIRED' } : row;
}

/** All keys there ever were, newest first. @throws BAD_USER_INPUT */
export async function listSigningKeys(app: App, asked: PageArguments): Promise<Connection<SigningKeyRow>> {
  const page = readPage(asked, ['time', 'text']);
  const { createdAt, kid } = signingKeys;
  const beyond = page.after && sql`(${createdAt}, ${kid}) < (${sql.param(page.after[0], createdAt)}, ${page.after[1]})`;
  const rows = await app.db
    .select(SHOWN)
    .from(signingKeys)
    .where(beyond)
    .orderBy(desc(createdAt), desc(kid))
    .limit(page.limit + 1);
  return toConnection(rows.map(asOf(app.now())), {
    page,
    keyOf: (row) => [row.createdAt, row.kid],
    count: () => app.db.$count(signingKeys),
  });
}

/** Keys that verify no longer: their private half is forgotten. With `all`, those that still do, too. */
async function retire(app: App, options: { all: boolean }): Promise<void> {
  const now = app.now();
  await app.db
    .update(signingKeys)
    .set({ state: 'RETIRED', sealedPrivateJwk: '', ...(options.all && { retiredAt: now }) })
    .where(and(eq(signingKeys.state, 'PREVIOUS'), options.all ? undefined : lte(signingKeys.retiredAt, now)));
}

export interface Rotated {
  current: SigningKeyRow;
  next: SigningKeyRow;
}

/** NEXT signs from now on, CURRENT only verifies, and a new NEXT is published. Inside the transaction, under the lock. */
async function rotate(app: App, options: { immediately: boolean; actor: Actor }): Promise<Rotated> {
  const { immediately, actor } = options;
  const overSeconds = app.config.tokens.accessTtlSeconds + LEEWAY_SECONDS + RELOAD_SECONDS;
  const retiredAt = new Date(app.now().getTime() + overSeconds * 1000);
  const move = (from: 'CURRENT' | 'NEXT', to: Partial<typeof signingKeys.$inferInsert>) =>
    app.db.update(signingKeys).set(to).where(eq(signingKeys.state, from)).returning(SHOWN);
  const [former] = await move('CURRENT', { state: 'PREVIOUS', retiredAt });
  const [promoted] = await move('NEXT', { state: 'CURRENT' });
  await retire(app, { all: immediately });
  const next = await addKey(app, { state: 'NEXT', actor });
  const current = found(promoted);
  await recordAudit(app, {
    actor,
    action: 'signing_key.rotated',
    target: { kind: 'signing_key', id: current.kid },
    before: { current: former?.kid ?? null },
    after: { current: current.kid, next: next.kid, immediately },
  });
  return { current, next };
}

/**
 * Rotates the signing keys. Tokens that are out stay good until they end; with `immediately` those under the former
 * keys are refused at once, on every instance (their holders refresh). Whoever verifies tokens with the published set
 * needs the next key by then: leave five minutes between two rotations, for so long they may keep the set.
 */
export async function rotateSigningKey(app: App, options: { immediately: boolean; actor: Actor }): Promise<Rotated> {
  await makeMissingKeys(app);
  const rotated = await transact(app, async (app) => {
    await lockKeys(app);
    return rotate(app, options);
  });
  await loadSigningKeys(app);
  return rotated;
}

/** What the clock asks for: rotates every 30 days, and forgets keys past their time. Any number of instances may call it. */
export async function rotateDueSigningKeys(app: App): Promise<void> {
  await makeMissingKeys(app);
  const latest = new Date(app.now().getTime() - ROTATE_EVERY_MS);
  await transact(app, async (app) => {
    await lockKeys(app);
    await retire(app, { all: false });
    // The next key was made when the current one took over, or at the first start.
    const isDue = and(eq(signingKeys.state, 'NEXT'), lte(signingKeys.createdAt, latest));
    if ((await app.db.$count(signingKeys, isDue)) > 0) await rotate(app, { immediately: false, actor: SYSTEM_ACTOR });
  });
  await loadSigningKeys(app);
}

/** Of the stored keys that still hold a private half: how many there are, and how many the encryption key opens. */
export async function inspectSigningKeys(
  app: App,
): Promise<{ currentSince: Date | undefined; sealed: number; opened: number }> {
  const rows = await app.db
    .select()
    .from(signingKeys)
    .where(inArray(signingKeys.state, ['NEXT', 'CURRENT']));
  const opened = rows.filter(({ sealedPrivateJwk, kid }) => {
    try {
      app.secrets.decrypt(SEAL_PURPOSE, sealedPrivateJwk, kid);
      return true;
    } catch {
      return false;
    }
  });
  // The next key is made when the current one takes over.
  const next = rows.find(({ state }) => state === 'NEXT');
  return { currentSince: next?.createdAt, sealed: rows.length, opened: opened.length };
}
