// What the hot paths cost at least: the same statements and the same token check on bare node:http, without GraphQL,
// guards, limits, context, request ids or security headers. Look-ups of one turn share a statement and movements that
// wait share a commit, like the product's.
import { createCipheriv, createHmac, createSecretKey, hash, randomBytes, randomUUID } from 'node:crypto';
import { hash as hashPassword, verify } from '@node-rs/argon2';
import { createLocalJWKSet, generateKeyPair, type JSONWebKeySet, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type Body, listen } from './listen.ts';
import { batched, openRawCopy, openRawSql } from './raw-sql.ts';

const query = await openRawSql();
const keySet = createLocalJWKSet(JSON.parse(process.env.JWKS ?? '{"keys":[]}') as JSONWebKeySet);
const verified = new Map<string, JWTPayload>();

const findKey = batched(query, {
  text: `select k.key_hash, k.id as key_id, s.id as service_id, s.name, s.scopes, k.expires_at
           from service_keys k join services s on s.id = k.service_id
          where k.key_hash = any($1::text[]) and s.disabled_at is null`,
  key: 'key_hash',
});
const findSession = batched(query, {
  text: `select s.id as session_id, coalesce(s.user_id, s.admin_id, s.staff_id) as account_id,
                case when s.user_id is not null then 'user' when s.admin_id is not null then 'admin' else 'staff' end as kind,
                coalesce(u.username, a.username, m.username) as username, coalesce(u.email, a.email, m.email) as email,
                (s.user_id is null or u.email_verified_at is not null) as email_verified,
                u.plan_code, u.time_zone, a.permissions, m.level,
                s.admin_id is not null
                  and exists (select from totp_factors t where t.admin_id = s.admin_id and t.confirmed_at is not null) as has_totp,
                s.authenticated_at, s.expires_at, s.impersonator_id, s.read_only,
                coalesce(s.revoked_at, i.disabled_at,
                         case when not ('users:impersonate' = any(i.permissions)) then s.created_at end) as revoked_at,
                coalesce(u.suspended_at, a.disabled_at, m.disabled_at) as suspended_at, u.suspended_until
           from sessions s
           left join users u on u.id = s.user_id
           left join admins a on a.id = s.admin_id
           left join staff_members m on m.id = s.staff_id
           left join admins i on i.id = s.impersonator_id
          where s.id = any($1::uuid[]) and u.deleted_at is null`,
  key: 'session_id',
});
const findUser = batched(query, { text: 'select * from users where id = any($1::uuid[])', key: 'id' });

async function requireService(key: string | undefined) {
  const service = await findKey(hashOf(key ?? ''));
  if (service === undefined) throw new Error('not a service');
  return service;
}

async function sessionOf(token: string) {
  let claims = verified.get(token);
  if (claims === undefined) {
    ({ payload: claims } = await jwtVerify(token, keySet));
    verified.set(token, claims);
  }
  const now = Date.now();
  if ((claims.exp ?? 0) * 1_000 < now) throw new Error('expired');
  const session = await findSession(String(claims.sid));
  if (session === undefined || session.revoked_at || session.suspended_at || session.expires_at.getTime() < now) {
    throw new Error('ended');
  }
  return { session, claims };
}

async function validateToken(token: string) {
  const { session, claims } = await sessionOf(token);
  return {
    valid: true,
    code: 'VALID',
    kind: 'USER',
    expiresAt: new Date((claims.exp ?? 0) * 1_000).toISOString(),
    user: {
      id: session.account_id,
      username: session.username,
      email: session.email,
      emailVerified: session.email_verified,
    },
    sessionId: session.session_id,
  };
}

async function me(authorization: string | undefined) {
  const { session } = await sessionOf((authorization ?? '').slice('Bearer '.length));
  const { id, username, email, email_verified_at } = await findUser(session.account_id);
  return { id, username, email, emailVerified: email_verified_at !== null };
}

const ROTATE = `
  with asked as (
    select * from unnest($1::uuid[], $2::text[], $3::text[]) as asked (session_id, old_hash, new_hash)
  ),
  held as (
    select id, user_id, admin_id, staff_id from sessions where id = any($1::uuid[]) order by id for no key update nowait
  )
  update sessions s
     set previous_hash = case when s.refresh_hash = old_hash then old_hash else s.previous_hash end,
         refresh_hash = case when s.refresh_hash = old_hash then new_hash else s.refresh_hash end,
         rotated_at = case when s.refresh_hash = old_hash then $4::timestamptz else s.rotated_at end,
         expires_at = least(s.ends_at, $4::timestamptz + interval '30 days'),
         last_used_at = $4::timestamptz, ip = '127.0.0.1', user_agent = null
    from asked
    join held on held.id = asked.session_id
    left join users u on u.id = held.user_id
    left join admins a on a.id = held.admin_id
    left join staff_members m on m.id = held.staff_id
   where s.id = held.id and s.id = any($1::uuid[]) and s.revoked_at is null and s.expires_at > $4::timestamptz
     and (s.refresh_hash = old_hash or (s.previous_hash = old_hash and s.rotated_at > $4::timestamptz - interval '20 seconds'))
     and u.deleted_at is null and (u.id is null or u.suspended_at is null or u.suspended_until <= $4::timestamptz)
     and a.disabled_at is null and m.disabled_at is null
  returning s.id as session_id, coalesce(u.id, a.id, m.id) as account_id,
            coalesce(u.username, a.username, m.username) as username`;

/** What arrives while one batch is under way goes together in the next: one commit for all. */
function together<Item, Answer>(send: (items: Item[]) => Promise<Answer[]>) {
  let waiting: { item: Item; settle: PromiseWithResolvers<Answer> }[] = [];
  let isBusy = false;
  async function run(): Promise<void> {
    isBusy = waiting.length > 0;
    if (!isBusy) return;
    const batch = waiting.slice(0, 200);
    waiting = waiting.slice(200);
    const answers = await send(batch.map(({ item }) => item));
    void run();
    batch.forEach(({ settle }, index) => {
      settle.resolve(answers[index] as Answer);
    });
  }
  return (item: Item): Promise<Answer> => {
    const settle = Promise.withResolvers<Answer>();
    waiting.push({ item, settle });
    if (!isBusy) void run();
    return settle.promise;
  };
}

const rotate = together(async (items: { id: string; from: string; to: string }[]) => {
  const now = new Date().toISOString();
  const rows = await query(ROTATE, [
    items.map(({ id }) => id),
    items.map(({ from }) => from),
    items.map(({ to }) => to),
    now,
  ]);
  const byId = new Map(rows.map((row) => [row.session_id, row]));
  return items.map(({ id }) => byId.get(id));
});

const hashOf = (text: string) => hash('sha256', text, 'hex');
const { privateKey } = await generateKeyPair('EdDSA');
const chainKey = createSecretKey(randomBytes(32));

/** A chain of tokens like the product's: each names its session, and the next is an HMAC of it. */
async function refresh(token: string) {
  const bytes = Buffer.from(token.slice('crd_rt_'.length), 'base64url');
  const hex = bytes.toString('hex', 0, 16);
  const sessionId = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  const secret = createHmac('sha256', chainKey).update(bytes).digest();
  const next = `crd_rt_${Buffer.concat([bytes.subarray(0, 16), secret]).toString('base64url')}`;
  const row = await rotate({ id: sessionId, from: hashOf(token), to: hashOf(next) });
  if (row === undefined) throw new Error('refused');
  const user = await findUser(row.account_id);
  const accessToken = await new SignJWT({ kind: 'user', sid: sessionId, username: row.username })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'bench', typ: 'at+jwt' })
    .setIssuer('https://bench.example.com')
    .setAudience('https://bench.example.com')
    .setSubject(row.account_id)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  return { accessToken, refreshToken: next, user: { id: user.id } };
}

interface Verdict {
  readonly code: string | null;
  readonly replayed: boolean;
  readonly answer: { balance: number; held: number };
}

const apply = together(async (items: Record<string, unknown>[]) => {
  const numbered = JSON.stringify(items.map((item, index) => ({ ...item, n: index + 1 })));
  const statement = 'select apply_credit_movements($1::text::jsonb, $2::timestamptz, $3::int)::text as verdicts';
  const [row] = await query(statement, [numbered, new Date().toISOString(), '0']);
  return JSON.parse(row.verdicts) as Verdict[];
});

// biome-ignore lint/suspicious/noExplicitAny: what a client sent.
async function spend(input: any, serviceId: string) {
  const id = randomUUID();
  const { userId: user_id, amount, description, idempotencyKey: key } = input;
  const fingerprint = hashOf(JSON.stringify([user_id, amount, description]));
  const who = { actor_kind: 'SERVICE', actor_id: serviceId, scope: `SERVICE:${serviceId}:USE` };
  const item = { id, operation: 'USE', kind: 'USE', user_id, amount, description, key, fingerprint, ...who };
  const { code, replayed, answer } = await apply(item);
  if (code !== null) throw new Error(code);
  const { balance, held } = answer;
  return {
    transaction: { id, kind: 'USE', amount: -amount, balanceAfter: balance },
    account: { balance, held, available: balance - held },
    replayed,
  };
}

const CONSUME = `
  with person as (
    select d.*, case when ((d.midnight - interval '1 hour') at time zone d.time_zone)::date > d.day
                then d.midnight - interval '1 hour' else d.midnight end as resets_at
      from (select u.id, u.time_zone, coalesce(u.conversations_per_day, p.conversations_per_day) as "limit",
                   (u.status = 'SUSPENDED' and (u.suspended_until > $1::timestamptz) is not false) as suspended,
                   ($1::timestamptz at time zone u.time_zone)::date as day,
                   (($1::timestamptz at time zone u.time_zone)::date + 1)::timestamp at time zone u.time_zone as midnight
              from users u join plans p on p.code = u.plan_code
             where u.id = any($2::uuid[]) and u.deleted_at is null) d),
  taken as (
    insert into usage_counters as c (user_id, kind, day, used)
    select id, 'CONVERSATIONS', day, 1 from person where not suspended and ("limit" is null or "limit" > 0)
        on conflict (user_id, kind, day) do update set used = c.used + 1
     where (select "limit" from person) is null or c.used < (select "limit" from person)
    returning c.used)
  select person."limit", person.suspended, person.resets_at, taken.used from person left join taken on true`;

async function consume(userId: string) {
  const [{ limit, suspended, resets_at: resetsAt, used }] = await query(CONSUME, [new Date().toISOString(), [userId]]);
  if (suspended) throw new Error('suspended');
  const remaining = limit === null ? null : limit - (used ?? limit);
  return { allowed: used !== null, limit, used: used ?? limit, remaining, resetsAt, replayed: false };
}

const LOG_COLUMNS = `id, user_id, service_id, conversation_id, model, sealed_content, input_tokens, output_tokens,
  message_count, occurred_at, created_at`;
const LOG = `
  insert into message_logs (${LOG_COLUMNS})
  select ${LOG_COLUMNS}
    from jsonb_to_recordset($1::text::jsonb)
      as e (id uuid, user_id uuid, service_id uuid, conversation_id text, model text, sealed_content text,
            input_tokens int, output_tokens int, message_count int, occurred_at timestamptz, created_at timestamptz)`;

/** The rows as they are stored, but nothing looked up, counted or locked, and the content as it came. */
// biome-ignore lint/suspicious/noExplicitAny: what a client sent.
function logRows(batch: any[], serviceId: string) {
  const now = new Date().toISOString();
  return batch.map(({ userId, conversationId, model, messages, inputTokens, outputTokens, occurredAt }) => ({
    id: randomUUID(),
    user_id: userId,
    service_id: serviceId,
    conversation_id: conversationId ?? null,
    model,
    sealed_content: JSON.stringify(messages),
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    message_count: messages.length,
    occurred_at: occurredAt ?? now,
    created_at: now,
  }));
}

type LogRows = ReturnType<typeof logRows>;

/** What the sealing costs by itself, all else being raw: one key for all. */
function sealed(rows: LogRows): LogRows {
  return rows.map((row) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', chainKey, nonce).setAAD(Buffer.from(row.id));
    const body = Buffer.concat([cipher.update(row.sealed_content, 'utf8'), cipher.final()]);
    return { ...row, sealed_content: Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url') };
  });
}

const insertRows = (rows: LogRows) => query(LOG, [JSON.stringify(rows)]);

const copy = openRawCopy(`copy message_logs (${LOG_COLUMNS}) from stdin`);

/** COPY's text format: the four characters that mean something to it are escaped. */
const escaped: Record<string, string> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };
const field = (value: unknown) =>
  value === null ? '\\N' : String(value).replace(/[\\\t\n\r]/g, (character) => escaped[character] ?? '');
const copyRows = (rows: LogRows) => copy(rows.map((row) => `${Object.values(row).map(field).join('\t')}\n`).join(''));

function logging(write: (rows: LogRows) => Promise<unknown>): Handler {
  return async ({ variables }, headers) => {
    const service = await requireService(headers['x-api-key'] as string);
    const { batch } = variables.input;
    await write(logRows(batch, service.service_id));
    return { logMessages: { accepted: batch.length, rejected: [], replayed: false } };
  };
}

/** As Node.js comes: four pool threads, and everybody into them at once. */
const settings = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
let stored: Promise<string> | undefined;

async function signIn(password: string) {
  stored ??= hashPassword(password, settings);
  return { ok: await verify(await stored, password) };
}

type Handler = (body: Body, headers: NodeJS.Dict<string | string[]>) => Promise<unknown>;

const handlers: Record<string, Handler> = {
  async validateToken({ variables }, headers) {
    await requireService(headers['x-api-key'] as string);
    return { validateToken: await validateToken(variables.token) };
  },
  async me(_, headers) {
    return { me: await me(headers.authorization as string) };
  },
  async login({ variables }) {
    return { login: await signIn(variables.input.password) };
  },
  async refreshToken({ variables }) {
    return { refreshToken: await refresh(variables.token) };
  },
  async useCredits({ variables }, headers) {
    const service = await requireService(headers['x-api-key'] as string);
    return { useCredits: await spend(variables.input, service.service_id) };
  },
  async consumeConversation({ variables }, headers) {
    await requireService(headers['x-api-key'] as string);
    return { consumeConversation: await consume(variables.input.userId) };
  },
  logMessages: logging(insertRows),
  logMessagesSealed: logging((rows) => insertRows(sealed(rows))),
  logMessagesCopy: logging(copyRows),
};

listen(async (body, { url = '', headers }) => ({ data: await handlers[url.slice(1)]?.(body, headers) }));
