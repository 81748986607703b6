import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Dice } from './dice.js';
import { ask, type GraphqlAnswer } from './process.js';

export const LOAD_PASSWORD = 'violet tractor sings 77 at dusk';

export interface LoadPerson {
  id: string;
  username: string;
  token: string;
  refreshToken: string;
}

/** `unknown`: the answer never came, or said that nobody knows. */
export type Outcome = 'ok' | 'refused' | 'unknown';

export interface LoadMovement {
  field: 'addCredits' | 'useCredits' | 'holdCredits';
  input: { userId: string; amount: number; idempotencyKey: string };
  outcome: Outcome;
  /** Of the transaction or the hold, when it was answered. */
  id: string | undefined;
}

/** What the clients were told. */
export interface Seen {
  people: LoadPerson[];
  movements: LoadMovement[];
  /** User names whose registration may or may not have happened. */
  perhaps: string[];
  /** Access tokens of sessions whose end was answered. */
  ended: string[];
}

export const nothingSeen = (): Seen => ({ people: [], movements: [], perhaps: [], ended: [] });

export interface Load {
  /**
   * How often each code was answered; `none` for an answer without one, `another form` for
   * one that is not of ours, `broken` for a connection without an answer.
   */
  readonly codes: ReadonlyMap<string, number>;
  /** Resolves when so many more requests have had their outcome. */
  more(requests: number): Promise<void>;
  /** Starts no more requests and waits for those under way. */
  stop(): Promise<void>;
}

const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken user { id } } }`;
const VERIFY = `mutation($token: String!) { verifyEmail(token: $token) { user { id } } }`;
const LOGIN = `mutation($input: LoginInput!) { login(input: $input) { ... on AuthPayload { accessToken } } }`;
const LOGOUT = `mutation { logout { ok } }`;
const REFRESH = `mutation($refreshToken: String) { refreshToken(refreshToken: $refreshToken) { accessToken refreshToken } }`;
const MOVEMENTS = {
  addCredits: `mutation($input: AddCreditsInput!) { addCredits(input: $input) { transaction { id } } }`,
  useCredits: `mutation($input: UseCreditsInput!) { useCredits(input: $input) { transaction { id } } }`,
  holdCredits: `mutation($input: HoldCreditsInput!) { holdCredits(input: $input) { hold { id } } }`,
} as const;

/** Codes after which nobody knows whether it happened: the statement may have been committed before its answer was lost. */
const UNCERTAIN = new Set(['DATABASE_UNAVAILABLE', 'RETRY_LATER', 'INTERNAL_SERVER_ERROR']);
const MIX = { addCredits: 30, useCredits: 35, holdCredits: 10, refresh: 12, signInAndOut: 3, register: 3, look: 7 };

function outcomeOf({ data, code }: GraphqlAnswer): Outcome {
  if (code !== undefined) return UNCERTAIN.has(code) ? 'unknown' : 'refused';
  return data ? 'ok' : 'unknown';
}

interface Client {
  server: { url: string };
  seen: Seen;
  codes: Map<string, number>;
  dice: Dice;
  serviceKey: string;
  person: LoadPerson;
  /** Makes keys and names that no other client makes. */
  name: string;
  sent: number;
}

/** From an address of its own, seen through a proxy: what one network may cause is limited. */
function fromNetwork(name: string): { 'x-forwarded-for': string } {
  const [a = 0, b = 0, c = 0] = createHash('sha256').update(name).digest();
  return { 'x-forwarded-for': `10.${a}.${b}.${c}` };
}

async function send(
  { server, codes, name, sent }: Client,
  request: { query: string; variables?: object; headers?: Record<string, string> },
): Promise<(GraphqlAnswer & { outcome: Outcome }) | { data: undefined; outcome: 'unknown' }> {
  const note = (code: string) => codes.set(code, (codes.get(code) ?? 0) + 1);
  try {
    const headers = { ...fromNetwork(`${name}-${sent}`), ...request.headers };
    const answer = await ask(server.url, { ...request, headers });
    note(answer.code ?? (answer.data ? 'none' : 'another form'));
    const outcome = outcomeOf(answer);
    return { ...answer, outcome };
  } catch {
    note('broken');
    // Nobody there: asking again at once would only keep the machine busy.
    await pause(20);
    return { data: undefined, outcome: 'unknown' };
  }
}

async function move(client: Client, field: keyof typeof MOVEMENTS): Promise<void> {
  const { person, seen, serviceKey, dice } = client;
  const input = { userId: person.id, amount: 1 + dice.below(9), idempotencyKey: `${client.name}-${client.sent}` };
  const headers = { 'x-api-key': serviceKey };
  const { data, outcome } = await send(client, { query: MOVEMENTS[field], variables: { input }, headers });
  const answer = data?.[field];
  seen.movements.push({ field, input, outcome, id: answer && (answer.transaction ?? answer.hold).id });
}

async function register(client: Client): Promise<void> {
  const { seen } = client;
  const username = `${client.name}x${client.sent}`;
  const input = { username, email: `${username}@example.com`, password: LOAD_PASSWORD };
  const { data, outcome } = await send(client, { query: REGISTER, variables: { input } });
  if (outcome === 'unknown') seen.perhaps.push(username);
  if (!data?.register) return;
  const { accessToken: token, refreshToken, user } = data.register;
  seen.people.push({ id: user.id, username, token, refreshToken });
}

async function refresh(client: Client): Promise<void> {
  const { person } = client;
  // After an unknown outcome the same token is sent again, which is what a client does: the grace covers it.
  const { data } = await send(client, { query: REFRESH, variables: { refreshToken: person.refreshToken } });
  if (!data?.refreshToken) return;
  person.token = data.refreshToken.accessToken;
  person.refreshToken = data.refreshToken.refreshToken;
}

async function signInAndOut(client: Client): Promise<void> {
  const input = { identifier: client.person.username, password: LOAD_PASSWORD };
  const { data } = await send(client, { query: LOGIN, variables: { input } });
  const token: string | undefined = data?.login?.accessToken;
  if (!token) return;
  const { outcome } = await send(client, { query: LOGOUT, headers: { authorization: `Bearer ${token}` } });
  if (outcome === 'ok') client.seen.ended.push(token);
}

async function step(client: Client): Promise<void> {
  const kind = client.dice.pick(MIX);
  client.sent += 1;
  if (kind === 'register') return register(client);
  if (kind === 'refresh') return refresh(client);
  if (kind === 'signInAndOut') return signInAndOut(client);
  if (kind === 'look') {
    await send(client, { query: '{ me { id } }', headers: { authorization: `Bearer ${client.person.token}` } });
    return;
  }
  return move(client, kind);
}

/** Somebody with a proven address and a thousand credits, made by way of the development mailbox. */
export async function createLoadPerson(
  server: { url: string },
  options: { username: string; serviceKey: string },
): Promise<LoadPerson> {
  const { username, serviceKey } = options;
  const email = `${username}@example.com`;
  const registered = await ask(server.url, {
    query: REGISTER,
    variables: { input: { username, email, password: LOAD_PASSWORD } },
    headers: fromNetwork(username),
  });
  const { accessToken: token, refreshToken, user } = registered.data.register;
  await ask(server.url, { query: VERIFY, variables: { token: await verificationToken(server, email) } });
  const input = { userId: user.id, amount: 1_000, idempotencyKey: `start-${username}` };
  await ask(server.url, { query: MOVEMENTS.addCredits, variables: { input }, headers: { 'x-api-key': serviceKey } });
  return { id: user.id, username, token, refreshToken };
}

async function verificationToken(server: { url: string }, email: string): Promise<string> {
  for (let tries = 0; tries < 600; tries += 1) {
    const response = await fetch(`${server.url}/dev/mailbox.json`);
    const letters = (await response.json()) as { to: string; text: string }[];
    const found = letters.find(({ to }) => to === email);
    const token = found && /verify-email\?token=(\S+)/.exec(found.text)?.[1];
    if (token) return token;
    await pause(50);
  }
  throw new Error(`No letter for ${email}.`);
}

/**
 * Clients that send one request after the other, until they are stopped: credits mostly, sessions and sign-ups beside.
 * The seed decides what each asks for and in which order. `server.url` may change while they run, and the server takes
 * this machine for a proxy. What they are told is added to `seen`.
 */
export async function startLoad(
  server: { url: string },
  options: { dice: (name: string) => Dice; serviceKey: string; clients: number; stem: string; seen: Seen },
): Promise<Load> {
  const { dice, serviceKey, clients, stem, seen } = options;
  const codes = new Map<string, number>();
  let isStopped = false;
  let done = 0;
  const waiting = new Set<() => void>();
  const lanes: Promise<void>[] = [];
  for (let place = 0; place < clients; place += 1) {
    const name = `${stem}${place}`;
    const person = await createLoadPerson(server, { username: name, serviceKey });
    seen.people.push(person);
    const client: Client = { server, seen, codes, dice: dice(name), serviceKey, person, name, sent: 0 };
    const lane = async () => {
      while (!isStopped) {
        await step(client);
        done += 1;
        for (const check of waiting) check();
      }
    };
    lanes.push(lane());
  }
  return {
    codes,
    async more(requests) {
      const wanted = done + requests;
      await new Promise<void>((enough) => {
        const check = () => {
          if (done < wanted) return;
          waiting.delete(check);
          enough();
        };
        waiting.add(check);
      });
    },
    async stop() {
      isStopped = true;
      await Promise.all(lanes);
    },
  };
}
