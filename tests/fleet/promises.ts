import { PgBoss } from 'pg-boss';
import postgres from 'postgres';
import { expect, it, vi } from 'vitest';
import { openDatabase } from '../../src/core/database.js';
import { JOBS } from '../../src/jobs/schedule.js';
import { silentLog } from '../support/database.js';
import type { Fleet, Instance } from '../support/fleet.js';
import { PASSWORD, uniqueName } from '../support/harness.js';
import { ask, type GraphqlAnswer } from '../support/process.js';
import { startLoad } from './load.js';

export const AUTH_LIMIT = 25;
const REGISTER = `mutation($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }`;
const ADD = `mutation($input: AddCreditsInput!) { addCredits(input: $input) { account { balance } } }`;
const BALANCE = 'query($userId: ID!) { creditBalance(userId: $userId) { balance } }';
const ASKING = '{ currentSession { id } }';
const WITHIN_A_SECOND = { timeout: 1_000, interval: 20 };

const network = Math.floor(Math.random() * 65_536);
let addresses = 0;
/** Of a client that has asked for nothing yet, here or in a run a minute ago. */
const newAddress = () => {
  addresses += 1;
  return `127.${64 + (network >> 10)}.${(network >> 2) & 255}.${((network & 3) << 6) | addresses}`;
};

interface Person {
  readonly id: string;
  readonly token: string;
  readonly email: string;
}

export async function signUp({ nginx }: Fleet): Promise<Person> {
  const username = uniqueName();
  const input = { username, email: `${username}@example.com`, password: PASSWORD };
  const { data, code } = await nginx.ask({ query: REGISTER, variables: { input }, from: newAddress() });
  if (code) throw new Error(code);
  return { id: data.register.user.id, token: data.register.accessToken, email: input.email };
}

/** Signed up, and proved the address by the letter. */
async function signUpWhole(fleet: Fleet): Promise<Person> {
  const person = await signUp(fleet);
  const letter = await vi.waitFor(() => {
    const found = fleet.smtp.received.find(({ to }) => to.includes(person.email));
    if (!found) throw new Error('no letter yet');
    return found.source.replace(/=\r?\n/g, '').replaceAll('=3D', '=');
  }, 20_000);
  const token = /token=([\w-]+)/.exec(letter)?.[1];
  const query = 'mutation($token: String!) { verifyEmail(token: $token) { user { id } } }';
  const { code } = await fleet.nginx.ask({ query, variables: { token }, from: newAddress() });
  if (code) throw new Error(code);
  return person;
}

/** Whether the instance takes the person's token. */
async function refusal(instance: Instance | undefined, { token }: Person): Promise<string | undefined> {
  const { code } = await ask(instance?.url ?? '', { query: ASKING, headers: { authorization: `Bearer ${token}` } });
  return code;
}

async function mutate(instance: Instance | undefined, options: { query: string; token: string }): Promise<void> {
  const headers = { authorization: `Bearer ${options.token}` };
  const { code } = await ask(instance?.url ?? '', { query: options.query, headers });
  if (code) throw new Error(code);
}

async function signInAdmin(fleet: Fleet): Promise<string> {
  const { data } = await fleet.nginx.ask({
    query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
    variables: { input: { identifier: 'admin', password: fleet.adminPassword } },
    from: newAddress(),
  });
  return data.adminLogin.accessToken;
}

/** All jobs are asked for, once, by somebody from outside. */
export async function orderAllJobs({ databaseUrl }: Fleet): Promise<void> {
  const { sql, close } = await openDatabase({ kind: 'postgres', url: databaseUrl, connections: 4 }, silentLog);
  const executeSql = async (text: string, values: unknown[] = []) => ({
    rows: await sql.write(
      text,
      values.map((value) => value ?? null),
    ),
  });
  const boss = new PgBoss({ db: { executeSql }, supervise: false, schedule: false, migrate: false });
  boss.on('error', () => undefined);
  const names = JOBS.map(({ name }) => name);
  try {
    await vi.waitFor(async () => {
      const [found] = await sql.query<{ count: number }>('select count(*)::int as count from pgboss.schedule', []);
      if (found?.count !== names.length) throw new Error('the schedule is not there yet');
    }, 30_000);
    await boss.start();
    for (const name of names) await boss.send(name);
  } finally {
    await boss.stop({ graceful: false });
    await close();
  }
}

/** How often each job ended well, as the queue has it and as the instances have said. */
async function countRuns(fleet: Fleet): Promise<{ kept: Record<string, number>; said: Record<string, number> }> {
  const client = postgres(fleet.databaseUrl, { max: 1 });
  const rows = await client<{ name: string; runs: number }[]>`
    select name, count(*)::int as runs from pgboss.job where state = 'completed' and not starts_with(name, '__')
     group by name order by name`;
  await client.end();
  const said: Record<string, number> = {};
  for (const [, name = ''] of fleet.instances.flatMap((one) => [
    ...one.output().matchAll(/"job":"([a-z-]+)".*is done/g),
  ]))
    said[name] = (said[name] ?? 0) + 1;
  return { kept: Object.fromEntries(rows.map(({ name, runs }) => [name, runs])), said };
}

/** What holds of several instances as of one, whichever way they reach the database. */
export function promisesOfAFleet(getFleet: () => Fleet): void {
  it('a limit is exact over all instances', async () => {
    const { nginx, instances } = getFleet();
    const query = `mutation { verifyEmail(token: "nothing") { user { id } } }`;
    const several = (from: string) => Promise.all(instances.map(() => nginx.ask({ query, from })));
    // An instance that is still compiling its first request may not hear Redis in time, and counts alone then.
    await several(newAddress());
    const from = newAddress();
    const codes: GraphqlAnswer[] = [];
    while (codes.length < 3 * AUTH_LIMIT) codes.push(...(await several(from)));
    const count = (wanted: string) => codes.filter(({ code }) => code === wanted).length;
    expect(count('TOKEN_INVALID')).toBe(AUTH_LIMIT);
    expect(count('RATE_LIMITED')).toBe(codes.length - AUTH_LIMIT);
  });

  it('a session that ends on one instance is refused by the others at once', async () => {
    const fleet = getFleet();
    const person = await signUp(fleet);
    for (const instance of fleet.instances) expect(await refusal(instance, person)).toBeUndefined();
    await mutate(fleet.instances[0], { query: 'mutation { logout { ok } }', token: person.token });
    for (const instance of fleet.instances) expect(await refusal(instance, person)).toBe('UNAUTHENTICATED');
  });

  it('a suspension, a network rule and a new signing key count on every instance within a second', async () => {
    const fleet = getFleet();
    const [admin, suspended, blocked] = [await signInAdmin(fleet), await signUp(fleet), newAddress()];
    const suspend = `mutation { suspendUser(input: { userId: "${suspended.id}", reason: "test" }) { user { id } } }`;
    await mutate(fleet.instances[0], { query: suspend, token: admin });
    for (const instance of fleet.instances) expect(await refusal(instance, suspended)).toBeDefined();

    const health = () => fleet.nginx.ask({ query: '{ __typename }', from: blocked });
    expect((await health()).code).not.toBe('IP_NOT_ALLOWED');
    const rule = `mutation { addIpRule(input: { action: DENY, scope: EVERYTHING, cidr: "${blocked}/32" }) { ipRule { id } } }`;
    await mutate(fleet.instances[0], { query: rule, token: admin });
    const turns = fleet.instances.flatMap((one) => [one, one]);
    await expect
      .poll(async () => (await Promise.all(turns.map(health))).map(({ code }) => code), WITHIN_A_SECOND)
      .toEqual(turns.map(() => 'IP_NOT_ALLOWED'));

    const before = await signUp(fleet);
    const rotate = 'mutation { rotateSigningKey(input: { immediately: true }) { current { kid } } }';
    await mutate(fleet.instances[0], { query: rotate, token: admin });
    for (const instance of fleet.instances)
      await expect.poll(() => refusal(instance, before), WITHIN_A_SECOND).toBe('TOKEN_INVALID');
    const after = await signUp(fleet);
    for (const instance of fleet.instances) expect(await refusal(instance, after)).toBeUndefined();
  });

  it('each instance in turn is replaced under load, and no request fails', async () => {
    const fleet = getFleet();
    const person = await signUpWhole(fleet);
    const credits = { userId: person.id, amount: 1_000_000, description: 'load', idempotencyKey: 'load' };
    const service = { 'x-api-key': fleet.serviceKey };
    await fleet.nginx.ask({ query: ADD, variables: { input: credits }, headers: service });
    const load = startLoad(fleet, person);
    for (const instance of fleet.instances) {
      const before = load.answered();
      expect(await instance.restart()).toBe(0);
      await expect.poll(() => load.answered(), { timeout: 10_000 }).toBeGreaterThan(before + 100);
    }
    const { failures, spent } = await load.stop();
    expect([...new Set(failures)]).toEqual([]);
    const { data } = await fleet.nginx.ask({ query: BALANCE, variables: { userId: person.id }, headers: service });
    expect(data.creditBalance.balance).toBe(credits.amount - spent);
  }, 180_000);

  it('each letter is sent once, whoever sends it', async () => {
    const fleet = getFleet();
    const people = await Promise.all(Array.from({ length: 12 }, () => signUp(fleet)));
    const arrived = () => people.map(({ email }) => fleet.smtp.received.filter(({ to }) => to.includes(email)).length);
    await expect.poll(arrived, { timeout: 20_000 }).toEqual(people.map(() => 1));
    const all = fleet.smtp.received.map(({ to, source }) => `${to} ${/^Message-ID: (.*)$/im.exec(source)?.[1]}`);
    expect(new Set(all).size).toBe(all.length);
  });

  it('each job runs once, on one instance', async () => {
    const fleet = getFleet();
    const names = JOBS.map(({ name }) => name).sort();
    await expect
      .poll(async () => Object.keys((await countRuns(fleet)).kept).sort(), { timeout: 40_000, interval: 500 })
      .toEqual(names);
    // A job that is under way at this moment is looked at again.
    const differing = async () => {
      const { kept, said } = await countRuns(fleet);
      return names.filter((name) => kept[name] !== said[name]).map((name) => [name, kept[name], said[name]]);
    };
    await expect.poll(differing, { timeout: 5_000 }).toEqual([]);
  }, 60_000);
}
