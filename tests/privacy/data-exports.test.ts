import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { readWhole } from '../../src/core/storage.js';
import { activeDays } from '../../src/modules/auth/activity.table.js';
import { dataKeys } from '../../src/modules/data-keys/data-keys.table.js';
import { deleteExpiredFiles } from '../../src/modules/files/files.service.js';
import { storedFiles } from '../../src/modules/files/files.table.js';
import { makeDataExports } from '../../src/modules/privacy/data-exports.service.js';
import { rotateDataKeys } from '../../src/modules/privacy/key-rotation.service.js';
import { actionsOf, login, MINUTE, refresh } from '../auth/operations.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import { deleteAccount, eraseUser, exchange, logMessages } from './operations.js';

const DAY = 1_440 * MINUTE;
const ASK = 'mutation { createDataExport { dataExport { id createdAt readyAt sizeBytes expiresAt } } }';
const LIST = '{ dataExports { id readyAt sizeBytes expiresAt } }';
const LINK = 'mutation($id: ID!) { createDataExportLink(id: $id) { url expiresAt } }';

describe.each(['local', 's3'] as const)('data exports in %s storage', (kind) => {
  let s3: S3Server;
  let h: Harness;
  let person: Person;
  let serviceKey: string;

  beforeAll(async () => {
    s3 = await startS3Server();
    h = await createHarness(kind === 's3' ? { config: { storage: s3.config } } : {});
    h.clock.freeze();
    serviceKey = (await h.service(['messages:write'])).key;
  });
  beforeEach(async () => {
    s3.mode = 'up';
    person = await h.person();
  });
  afterAll(async () => {
    await h.close();
    await s3.close();
  });

  async function ask(): Promise<string> {
    const { data, errors } = await h.graphql(ASK, { token: person.token });
    if (errors) throw new Error(JSON.stringify(errors));
    return data.createDataExport.dataExport.id;
  }
  const list = async (token = person.token) => (await h.graphql(LIST, { token })).data.dataExports;
  const linkTo = (id: string, token: string | undefined = person.token) =>
    h.graphql(LINK, { token, variables: { id } });
  const get = (url: string) => h.fastify.inject({ method: 'GET', url: new URL(url).pathname });
  async function fetchExport(id: string) {
    const { data, errors } = await linkTo(id);
    if (errors) throw new Error(JSON.stringify(errors));
    return get(data.createDataExportLink.url);
  }

  it('can be opened to its end after the person’s key was replaced, and the old key goes with it', async () => {
    const generations = async () =>
      (await h.app.db.select().from(dataKeys).where(eq(dataKeys.userId, person.id)))
        .map(({ generation }) => generation)
        .sort();
    const id = await ask();
    expect(await makeDataExports(h.app)).toBe(1);
    const { token } = await h.admin(['security:manage']);
    const rotate = `mutation { rotateDataKey(userId: "${person.id}", reason: "a test") { generation } }`;
    expect((await h.graphql(rotate, { token })).errors).toBeUndefined();
    const link = (await linkTo(id)).data.createDataExportLink.url;
    const [row] = await h.app.db.select().from(storedFiles).where(eq(storedFiles.id, id));
    h.clock.set(new Date((row?.expiresAt?.getTime() ?? 0) - MINUTE));
    await rotateDataKeys(h.app);
    expect(await generations()).toEqual([1, 2]);
    // The link has ended by now, the file has not.
    expect((await get(link)).statusCode).not.toBe(200);
    const { accessToken } = (await login(h, { identifier: person.username })).data.login;
    const fresh = (await linkTo(id, accessToken)).data.createDataExportLink.url;
    expect((await get(fresh)).json().profile.username).toBe(person.username);
    h.clock.advance(2 * MINUTE);
    await deleteExpiredFiles(h.app);
    await rotateDataKeys(h.app);
    expect(await generations()).toEqual([2]);
  });

  it('holds what exportMyData answers, and more rows of it, in a file that the person alone can open', async () => {
    await logMessages(h, serviceKey, { batch: [exchange(person.id, 'sesame seeds')] });
    const days = Array.from({ length: 1_203 }, (_, index) =>
      new Date(Date.UTC(2020, 0, index + 1)).toISOString().slice(0, 10),
    );
    await h.app.db.insert(activeDays).values(days.map((day) => ({ day, userId: person.id })));
    const id = await ask();
    expect(await list()).toMatchObject([{ id, readyAt: null, sizeBytes: null }]);
    expect((await linkTo(id)).code).toBe('CONFLICT');
    expect(await makeDataExports(h.app)).toBe(1);
    const [letter] = (await h.letters(person.email)).slice(-1);
    expect(letter?.subject).toBe('Your data export is ready');
    expect(letter?.text).not.toContain('/exports/');
    const [listed] = await list();
    expect(new Date(listed.expiresAt).getTime()).toBe(h.app.now().getTime() + DAY);

    const answer = await fetchExport(id);
    expect(answer.statusCode).toBe(200);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': expect.stringMatching(/^attachment; filename="credence-export-\d{4}-\d\d-\d\d\.json"$/),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    const document = answer.json();
    expect(document.profile).toMatchObject({ id: person.id, username: person.username });
    expect(document.messages).toMatchObject([{ messages: [{ content: 'sesame seeds' }, {}] }]);
    const known = new Set(document.activeDays.map(({ day }: { day: string }) => day));
    for (const day of days) expect(known).toContain(day);
    const { data } = await h.graphql('{ exportMyData }', { token: person.token });
    const { truncated, ...sections } = data.exportMyData;
    expect(Object.keys(document).sort()).toEqual(Object.keys(sections).sort());
    for (const secret of ['argon2', 'Hash', 'sealed', 'actorId']) expect(answer.payload).not.toContain(secret);
    expect(await actionsOf(h, person.token)).toEqual(
      expect.arrayContaining(['user.data_export_requested', 'user.data_exported']),
    );

    const [row] = await h.app.db.select().from(storedFiles).where(eq(storedFiles.id, id));
    const object = await h.app.storage.open(row?.objectKey ?? '');
    const stored = object && (await readWhole(object, 10_000_000));
    expect(stored?.length).toBe(listed.sizeBytes);
    for (const trace of [person.username, person.email, 'profile', 'sesame'])
      expect(stored?.includes(trace)).toBe(false);
  });

  it('is one file while it is being made, and at most three at a time', async () => {
    const first = await ask();
    expect(await ask()).toBe(first);
    for (let made = 0; made < 2; made += 1) {
      await makeDataExports(h.app);
      await ask();
    }
    await makeDataExports(h.app);
    expect((await h.graphql(ASK, { token: person.token })).code).toBe('LIMIT_REACHED');
    expect(await list()).toHaveLength(3);
  });

  it('an address opens it for a minute, and only as it was given', async () => {
    const id = await ask();
    await makeDataExports(h.app);
    const { data } = await linkTo(id);
    const { url, expiresAt } = data.createDataExportLink;
    expect(new Date(expiresAt).getTime()).toBe(h.app.now().getTime() + MINUTE);
    const token = url.split('/').at(-1) as string;
    const [, end, signature] = token.split('.');
    for (const other of [
      'x',
      `${newId()}.${end}.${signature}`,
      `${id}.${Number(end) + 60_000}.${signature}`,
      `${token}.x`,
    ]) {
      const answer = await get(`http://x/exports/${other}`);
      expect([answer.statusCode, answer.json().errors[0].extensions.code]).toEqual([401, 'TOKEN_INVALID']);
    }
    // Signed for the one door, it opens nothing at the other.
    const upload = await h.fastify.inject({ method: 'POST', url: `/uploads/${token}`, payload: '' });
    expect([401, 404]).toContain(upload.statusCode);
    expect((await get(url)).statusCode).toBe(200);
    h.clock.advance(MINUTE);
    const late = await get(url);
    expect([late.statusCode, late.json().errors[0].extensions.code]).toEqual([401, 'TOKEN_EXPIRED']);
  });

  it('is nobody else’s, and asks for a fresh sign-in', async () => {
    const id = await ask();
    await makeDataExports(h.app);
    const other = await h.person();
    expect((await linkTo(id, other.token)).code).toBe('NOT_FOUND');
    expect(await list(other.token)).toEqual([]);
    expect((await linkTo(newId())).code).toBe('NOT_FOUND');
    expect((await linkTo('x')).code).toBe('BAD_USER_INPUT');
    for (const query of [ASK, LIST]) expect((await h.graphql(query)).code).toBe('UNAUTHENTICATED');
    h.clock.advance(11 * MINUTE);
    const { data } = await refresh(h, person.refreshToken);
    const stale = data.refreshToken.accessToken;
    expect((await linkTo(id, stale)).code).toBe('REAUTHENTICATION_REQUIRED');
    expect((await h.graphql(ASK, { token: stale })).code).toBe('REAUTHENTICATION_REQUIRED');
    expect(await list(stale)).toHaveLength(1);
  });

  it('is gone a day later, when the person leaves, and when they are erased', async () => {
    const [first, admin] = [await ask(), await h.admin(['users:delete'])];
    await makeDataExports(h.app);
    const { data } = await linkTo(first);
    await deleteAccount(h, person.token);
    expect((await get(data.createDataExportLink.url)).statusCode).toBe(404);
    await eraseUser(h, admin, person.id);
    person = await h.person();
    await ask();
    await makeDataExports(h.app);
    h.clock.advance(DAY);
    const { data: renewed } = await refresh(h, person.refreshToken);
    expect(await list(renewed.refreshToken.accessToken)).toEqual([]);
    await deleteExpiredFiles(h.app);
    expect(await h.app.db.$count(storedFiles)).toBe(0);
    if (kind === 's3') expect(await s3.keys()).toEqual([]);
  });

  it('that was asked for is not made for somebody who left', async () => {
    await ask();
    await deleteAccount(h, person.token);
    expect(await makeDataExports(h.app)).toBe(0);
    expect((await h.letters(person.email)).map(({ subject }) => subject)).not.toContain('Your data export is ready');
  });

  if (kind === 's3') {
    it('waits for a bucket that is away, and holds no other up', async () => {
      const id = await ask();
      s3.mode = 'refuse';
      expect(await makeDataExports(h.app)).toBe(0);
      expect(await list()).toMatchObject([{ id, readyAt: null }]);
      s3.mode = 'up';
      expect(await makeDataExports(h.app)).toBe(1);
      s3.mode = 'refuse';
      expect((await fetchExport(id)).statusCode).toBe(502);
      s3.mode = 'up';
      expect((await fetchExport(id)).json().profile.id).toBe(person.id);
    }, 60_000);
  } else {
    it('leaves no draft behind', async () => {
      const { storage } = h.app.config;
      const directory = storage.kind === 'local' ? storage.directory : '';
      await ask();
      await makeDataExports(h.app);
      expect(await readdir(join(directory, 'drafts'))).toEqual([]);
      const [file] = await readdir(join(directory, 'u', person.id));
      expect((await readFile(join(directory, 'u', person.id, file ?? ''))).includes(person.username)).toBe(false);
    });
  }
});
