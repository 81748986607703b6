import { and, eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import type { App } from '../../src/core/context.js';
import { auditEvents } from '../../src/modules/audit/audit.table.js';
import { dataKeys } from '../../src/modules/data-keys/data-keys.table.js';
import { messageLogs } from '../../src/modules/messages/messages.table.js';
import { rotateDataKeys } from '../../src/modules/privacy/key-rotation.service.js';
import { deletedUsers } from '../../src/modules/privacy/privacy.table.js';
import { DAY, freshIp, MINUTE } from '../auth/operations.js';
import { type Answer, createHarness, type Harness, PASSWORD, type Person } from '../support/harness.js';
import { deleteUser, eraseUser, exchange, logMessages, restoreUser } from './operations.js';

let h: Harness;
let serviceKey: string;
beforeAll(async () => {
  h = await createHarness();
  serviceKey = (await h.service(['messages:write'])).key;
});
afterAll(() => h.close());

const HOUR = 60 * MINUTE;

async function rotate(userId: string, reason = 'a laptop was stolen'): Promise<Answer> {
  const { token } = await h.admin(['security:manage']);
  const query = 'mutation($id: ID!, $reason: String!) { rotateDataKey(userId: $id, reason: $reason) { generation } }';
  return h.graphql(query, { token, variables: { id: userId, reason } });
}

async function logged(userId: string, texts: string[]): Promise<void> {
  const batch = texts.map((text) => exchange(userId, text));
  expect((await logMessages(h, serviceKey, { batch })).data.logMessages.accepted).toBe(texts.length);
}

/** What the person reads of their own log, after a sign-in of its own: sessions end while the clock runs. */
async function read(person: Person): Promise<(string | null)[]> {
  const login = 'mutation($input: LoginInput!) { login(input: $input) { ... on AuthPayload { accessToken } } }';
  const variables = { input: { identifier: person.username, password: PASSWORD } };
  const token = (await h.graphql(login, { variables, ip: freshIp() })).data.login.accessToken;
  const { data } = await h.graphql('{ me { messages(first: 100) { nodes { messages { content } } } } }', { token });
  const nodes: { messages: { content: string }[] | null }[] = data.me.messages.nodes;
  return nodes.map(({ messages }) => messages?.[0]?.content ?? null).sort();
}

const keysOf = (userId: string) =>
  h.app.db.select().from(dataKeys).where(eq(dataKeys.userId, userId)).orderBy(dataKeys.generation);
const generationsOf = async (userId: string) => (await keysOf(userId)).map(({ generation }) => generation);
/** Of the keys that what is logged is under. */
async function underOf(userId: string): Promise<string[]> {
  const rows = await h.app.db.select().from(messageLogs).where(eq(messageLogs.userId, userId));
  return [...new Set(rows.map(({ sealedContent }) => sealedContent.split('.')[1] ?? ''))].sort();
}

const numbered = (count: number, stem = 'otter') => Array.from({ length: count }, (_, n) => `${stem} ${n}`).sort();

describe('rotateDataKey', () => {
  it('seals under a new key from now on, and everything stays readable while the old is taken out of use', async () => {
    const person = await h.person();
    const before = numbered(7);
    await logged(person.id, before);
    const { data } = await rotate(person.id);
    expect(data.rotateDataKey).toEqual({ generation: 2 });
    await logged(person.id, ['later']);
    expect(await underOf(person.id)).toEqual(['1', '2']);
    const everything = [...before, 'later'].sort();
    expect(await read(person)).toEqual(everything);

    expect(await rotateDataKeys(h.app)).toBeGreaterThanOrEqual(7);
    expect(await underOf(person.id)).toEqual(['2']);
    expect(await read(person)).toEqual(everything);
    // Whoever took the old key up a moment ago may still be writing under it.
    expect(await generationsOf(person.id)).toEqual([1, 2]);
    h.clock.advance(HOUR + MINUTE);
    await rotateDataKeys(h.app);
    expect(await generationsOf(person.id)).toEqual([2]);
    expect(await read(person)).toEqual(everything);
    await logged(person.id, ['last']);
    expect(await read(person)).toEqual([...everything, 'last'].sort());
  });

  it('is in the person’s history, with the reason', async () => {
    const person = await h.person();
    await rotate(person.id);
    const [row] = await h.app.db
      .select()
      .from(auditEvents)
      .where(and(eq(auditEvents.userId, person.id), eq(auditEvents.action, 'user.data_key_rotated')));
    expect(row).toMatchObject({ actorKind: 'ADMIN', reason: 'a laptop was stolen', after: { generation: 2 } });
  });

  it('refuses who is unknown or was deleted, and a reason that says nothing', async () => {
    const person = await h.person();
    expect((await rotate(newId())).code).toBe('NOT_FOUND');
    expect((await rotate('nonsense')).code).toBe('BAD_USER_INPUT');
    for (const reason of ['', ' ', 'x'.repeat(501)])
      expect((await rotate(person.id, reason)).code).toBe('BAD_USER_INPUT');
    const { token } = await h.admin(['users:delete']);
    await deleteUser(h, { token }, person.id);
    expect((await rotate(person.id)).code).toBe('NOT_FOUND');
  });

  it('of ten at once makes ten keys, one after the other', async () => {
    const person = await h.person();
    await logged(person.id, ['one']);
    const answers = await Promise.all(Array.from({ length: 10 }, () => rotate(person.id)));
    const made = answers.map(({ data }) => data.rotateDataKey.generation).sort((a, b) => a - b);
    expect(made).toEqual(Array.from({ length: 10 }, (_, n) => n + 2));
    const newest = (await keysOf(person.id)).filter(({ supersededAt }) => supersededAt === null);
    expect(newest.map(({ generation }) => generation)).toEqual([11]);
    expect(await read(person)).toEqual(['one']);
  });
});

describe('sealing anew', () => {
  /** The product's own, whose connection breaks at the given write. */
  function breakingAt(write: number): App {
    let writes = 0;
    const db = new Proxy(h.app.db, {
      get(target, name, receiver) {
        if (name === 'update' && ++writes >= write) throw new Error('the process was killed here');
        return Reflect.get(target, name, receiver);
      },
    });
    return { ...h.app, db };
  }

  it('goes on where it was cut off, and nothing is lost or unreadable in between', async () => {
    const person = await h.person();
    const texts = numbered(130, 'badger');
    await logged(person.id, texts);
    // Nothing is left to do for anybody else.
    await rotateDataKeys(h.app);
    await rotate(person.id);
    await rotateDataKeys(breakingAt(2));
    expect(await underOf(person.id)).toEqual(['1', '2']);
    expect((await read(person)).filter((text) => text === null)).toEqual([]);
    h.clock.advance(2 * HOUR);
    // The key is not taken away while anything is under it.
    await rotateDataKeys(breakingAt(2));
    expect(await generationsOf(person.id)).toEqual([1, 2]);
    await rotateDataKeys(h.app);
    expect(await underOf(person.id)).toEqual(['2']);
    expect(await generationsOf(person.id)).toEqual([2]);
    const { data } = await h.graphql(
      'query($id: ID!) { messageLogs(filter: { userId: $id }, reason: "counting") { totalCount nodes { messages { content } } } }',
      {
        token: (await h.admin(['messages:read'])).token,
        variables: { id: person.id },
      },
    );
    expect(data.messageLogs.totalCount).toBe(130);
    for (const { messages } of data.messageLogs.nodes) expect(texts).toContain(messages[0].content);
  });

  it('by two at once, while more is logged, ends with everything under the newest key', async () => {
    const person = await h.person();
    await logged(person.id, numbered(60, 'heron'));
    await rotate(person.id);
    const more = Promise.all(numbered(10, 'during').map((text) => logged(person.id, [text])));
    await Promise.all([rotateDataKeys(h.app), rotateDataKeys(h.app), more, rotate(person.id)]);
    await rotateDataKeys(h.app);
    expect(await underOf(person.id)).toEqual(['3']);
    expect(await read(person)).toEqual([...numbered(60, 'heron'), ...numbered(10, 'during')].sort());
  });

  it('leaves an altered entry and its key where they are, and goes on with all others', async () => {
    const person = await h.person();
    await logged(person.id, numbered(3, 'wren'));
    const [broken] = await h.app.db.select().from(messageLogs).where(eq(messageLogs.userId, person.id));
    const altered = `d1.1.${'A'.repeat(80)}`;
    await h.app.db
      .update(messageLogs)
      .set({ sealedContent: altered })
      .where(eq(messageLogs.id, broken?.id ?? ''));
    await rotate(person.id);
    await rotateDataKeys(h.app);
    h.clock.advance(2 * HOUR);
    await rotateDataKeys(h.app);
    expect(await underOf(person.id)).toEqual(['1', '2']);
    expect(await generationsOf(person.id)).toEqual([1, 2]);
    await h.app.db.delete(messageLogs).where(eq(messageLogs.id, broken?.id ?? ''));
    await rotateDataKeys(h.app);
    expect(await generationsOf(person.id)).toEqual([2]);
  });
});

describe('by the clock', () => {
  it('keys older than 90 days are replaced, of people who write nothing any more, too', async () => {
    const person = await h.person();
    await logged(person.id, ['long ago']);
    h.clock.advance(89 * DAY);
    await rotateDataKeys(h.app);
    expect(await generationsOf(person.id)).toEqual([1]);
    h.clock.advance(2 * DAY);
    await rotateDataKeys(h.app);
    h.clock.advance(2 * HOUR);
    await rotateDataKeys(h.app);
    expect(await generationsOf(person.id)).toEqual([2]);
    expect(await underOf(person.id)).toEqual(['2']);
    expect(await read(person)).toEqual(['long ago']);
  });
});

describe('who leaves meanwhile', () => {
  it('can be brought back after their snapshot was sealed anew', async () => {
    const person = await h.person();
    await logged(person.id, ['before']);
    const { token } = await h.admin(['users:delete']);
    await deleteUser(h, { token }, person.id);
    // As when the key is replaced between the look at it and the commit of the deletion.
    const [{ sealedSnapshot } = { sealedSnapshot: null }] = await h.app.db
      .select()
      .from(deletedUsers)
      .where(eq(deletedUsers.userId, person.id));
    expect(sealedSnapshot).toMatch(/^d1\.1\./);
    const [first] = await keysOf(person.id);
    const next = h.app.secrets.encrypt('data-key', Buffer.alloc(32, 7).toString('base64'), `${person.id}:2`);
    const now = h.app.now();
    await h.app.db.update(dataKeys).set({ supersededAt: now }).where(eq(dataKeys.userId, person.id));
    await h.app.db.insert(dataKeys).values({ userId: person.id, generation: 2, sealedKey: next, createdAt: now });
    await rotateDataKeys(h.app);
    h.clock.advance(2 * HOUR);
    await rotateDataKeys(h.app);
    expect(first?.generation).toBe(1);
    expect(await generationsOf(person.id)).toEqual([2]);
    const again = await h.admin(['users:delete']);
    const restored = await restoreUser(h, { token: again.token }, { userId: person.id });
    expect(restored.data.restoreUser.user.username).toBe(person.username);
    expect(await read(person)).toEqual(['before']);
  });

  it.each(['before anything was sealed anew', 'after'])(
    'is erased whole, %s: no key of theirs is left',
    async (when) => {
      const person = await h.person();
      await logged(person.id, numbered(4));
      await rotate(person.id);
      const copied = await h.app.db.select().from(messageLogs).where(eq(messageLogs.userId, person.id));
      if (when === 'after') await rotateDataKeys(h.app);
      const { token } = await h.admin(['users:delete']);
      expect((await eraseUser(h, { token }, person.id)).errors).toBeUndefined();
      for (const { sealedKey, destroyedAt } of await keysOf(person.id)) {
        expect(sealedKey).toBeNull();
        expect(destroyedAt).not.toBeNull();
      }
      // What a backup still holds is noise: nothing opens it, and the job brings nothing back.
      await h.app.db.insert(messageLogs).values(copied.slice(0, 1));
      h.clock.advance(2 * HOUR);
      await rotateDataKeys(h.app);
      expect(await underOf(person.id)).toEqual(['1']);
      expect((await keysOf(person.id)).every(({ sealedKey }) => sealedKey === null)).toBe(true);
    },
  );
});
