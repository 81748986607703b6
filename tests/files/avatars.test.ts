import { readdir } from 'node:fs/promises';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { deleteExpiredFiles } from '../../src/modules/files/files.service.js';
import { storedFiles } from '../../src/modules/files/files.table.js';
import { actionsOf, refresh } from '../auth/operations.js';
import { deleteUser, eraseUser, restoreUser } from '../privacy/operations.js';
import { createHarness, type Harness, type Person } from '../support/harness.js';
import { makePng, tiny } from '../support/images.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';
import {
  createAvatarUpload,
  formOf,
  giveAvatar,
  look,
  openUpload,
  send,
  sendForm,
  updateAvatar,
} from './operations.js';

const MINUTE = 60_000;
const fieldsOf = (answer: Awaited<ReturnType<typeof updateAvatar>>) =>
  answer.errors?.[0]?.extensions.fields as Record<string, string> | undefined;

describe.each(['local', 's3'] as const)('avatars in %s storage', (kind) => {
  let s3: S3Server;
  let h: Harness;
  let person: Person;

  beforeAll(async () => {
    s3 = await startS3Server();
    h = await createHarness(kind === 's3' ? { config: { storage: s3.config } } : {});
    h.clock.freeze();
  });
  beforeEach(async () => {
    s3.mode = 'up';
    person = await h.person();
  });
  afterAll(async () => {
    await h.close();
    await s3.close();
  });

  /** When the first one has run out. */
  async function newToken(): Promise<string> {
    const { data } = await refresh(h, person.refreshToken);
    return data.refreshToken.accessToken;
  }

  /** Keys of what is stored about a person. */
  async function objectsOf({ id }: { id: string }): Promise<string[]> {
    if (kind === 's3') return (await s3.keys()).filter((key) => key.startsWith(`u/${id}/`));
    const { storage } = h.app.config;
    const directory = storage.kind === 'local' ? `${storage.directory}/u/${id}` : '';
    return (await readdir(directory).catch(() => [])).map((name) => `u/${id}/${name}`);
  }

  it.each([
    ['image/png', makePng(64, 48)],
    ['image/jpeg', tiny('jpeg')],
    ['image/webp', tiny('webp')],
  ])('a %s goes all the way and is shown as it is, to run nowhere', async (contentType, file) => {
    const url = await giveAvatar(h, person.token, file, contentType);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:0\/avatars\/[0-9a-f-]{36}\.(png|jpg|webp)$/);
    const shown = await look(h, url);
    expect([shown.statusCode, shown.headers['content-type']]).toEqual([200, contentType]);
    expect(shown.rawPayload.equals(file)).toBe(true);
    expect(shown.headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
      'content-disposition': 'attachment',
      'cross-origin-resource-policy': 'cross-origin',
      'cache-control': 'public, max-age=86400, immutable',
    });
    expect((await h.graphql('{ me { avatarUrl } }', { token: person.token })).data.me.avatarUrl).toBe(url);
    expect(await actionsOf(h, person.token)).toContain('user.profile_updated');
  });

  it('tells how and until when to upload, and makes the name itself', async () => {
    const upload = await openUpload(h, person.token);
    expect(upload.maxBytes).toBe(5 * 1024 * 1024);
    expect(new Date(upload.expiresAt).getTime()).toBe(h.app.now().getTime() + 5 * MINUTE);
    await send(h, upload, makePng(1, 1), 'image/png', '../../../etc/passwd');
    expect(await objectsOf(person)).toEqual([`u/${person.id}/${upload.uploadId}.png`]);
  });

  it('a new one takes the place of the old one, which nobody gets any more and a job deletes', async () => {
    const first = await giveAvatar(h, person.token, makePng(1, 1));
    const second = await giveAvatar(h, person.token, makePng(2, 2));
    expect(second).not.toBe(first);
    expect([(await look(h, first)).statusCode, (await look(h, second)).statusCode]).toEqual([404, 200]);
    h.clock.advance(16 * MINUTE);
    await deleteExpiredFiles(h.app);
    expect(await objectsOf(person)).toEqual([expect.stringContaining(second.split('/').at(-1) ?? '')]);
    expect(await h.app.db.$count(storedFiles, eq(storedFiles.userId, person.id))).toBe(1);
  });

  it.each([
    { avatarUrl: null },
    { avatarUrl: 'https://example.com/me.png' },
    { avatarUrl: null, avatarUploadId: null },
  ])('is gone when the profile says %j', async (change) => {
    const url = await giveAvatar(h, person.token, makePng(1, 1));
    expect((await updateAvatar(h, person.token, { displayName: 'Ada' })).data.updateProfile.user.avatarUrl).toBe(url);
    const { data } = await updateAvatar(h, person.token, change);
    expect(data.updateProfile.user.avatarUrl).toBe(change.avatarUrl);
    expect((await look(h, url)).statusCode).toBe(404);
  });

  it('an upload that is never used is deleted with the time', async () => {
    const upload = await openUpload(h, person.token);
    await send(h, upload, makePng(1, 1));
    await deleteExpiredFiles(h.app);
    expect(await objectsOf(person)).toHaveLength(1);
    h.clock.advance(15 * MINUTE);
    await deleteExpiredFiles(h.app);
    expect(await objectsOf(person)).toEqual([]);
    const late = await updateAvatar(h, await newToken(), { avatarUploadId: upload.uploadId });
    expect(late.code).toBe('NOT_FOUND');
  });

  describe('refuses', () => {
    it('other kinds of files than images', async () => {
      for (const type of ['image/svg+xml', 'text/html', 'image/gif', 'IMAGE/PNG', '', 'image/png; charset=x', 'png']) {
        const answer = await createAvatarUpload(h, person.token, type);
        expect([answer.code, Object.keys(fieldsOf(answer) ?? {})]).toEqual(['BAD_USER_INPUT', ['contentType']]);
      }
    });

    it.each([
      ['a page', Buffer.from('<script>alert(1)</script>')],
      ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
      ['another type than was announced', tiny('jpeg')],
      ['more pixels than anybody needs', makePng(4_097, 10, { rows: 1 })],
      ['a bomb', makePng(60_000, 60_000, { rows: 1 })],
      ['no pixels', makePng(0, 0)],
    ])('%s, whatever it is called', async (_, file) => {
      const upload = await openUpload(h, person.token);
      expect((await send(h, upload, file)).status).toBe(204);
      const answer = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
      expect([answer.status, answer.code]).toEqual([400, 'BAD_USER_INPUT']);
      expect(Object.keys(fieldsOf(answer) ?? {})).toEqual(['avatarUploadId']);
      expect((await h.graphql('{ me { avatarUrl } }', { token: person.token })).data.me.avatarUrl).toBeNull();
      expect(await objectsOf(person)).toHaveLength(1);
    });

    it('nothing, too much, and what is no form', async () => {
      const upload = await openUpload(h, person.token);
      expect((await send(h, upload, Buffer.alloc(0))).status).toBe(400);
      const much = Buffer.concat([makePng(1, 1), Buffer.alloc(5 * 1024 * 1024)]);
      expect((await send(h, upload, much)).status).toBe(400);
      const twice = formOf(upload.fields, makePng(1, 1));
      twice.append('file', new Blob(['another']), 'b.png');
      expect((await sendForm(h, upload.url, twice)).status).toBeGreaterThanOrEqual(400);
      const none = new FormData();
      for (const [name, value] of Object.entries(upload.fields)) none.set(name, value);
      expect((await sendForm(h, upload.url, none)).status).toBeGreaterThanOrEqual(400);
      expect(await objectsOf(person)).toEqual([]);
      const empty = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
      expect(fieldsOf(empty)).toEqual({ avatarUploadId: 'nothing was uploaded yet' });
      expect((await send(h, upload, makePng(1, 1))).status).toBe(204);
      expect((await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId })).errors).toBeUndefined();
    });

    it('an upload of somebody else, one that never was, and one that is used', async () => {
      const upload = await openUpload(h, person.token);
      await send(h, upload, makePng(1, 1));
      const other = await h.person();
      for (const avatarUploadId of [upload.uploadId, newId()])
        expect((await updateAvatar(h, other.token, { avatarUploadId })).code).toBe('NOT_FOUND');
      expect((await updateAvatar(h, other.token, { avatarUploadId: 'x' })).code).toBe('BAD_USER_INPUT');
      expect((await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId })).errors).toBeUndefined();
      const again = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
      expect([again.status, again.code]).toEqual([409, 'CONFLICT']);
      // An avatar is no upload.
      const { data } = await h.graphql('{ me { avatarUrl } }', { token: person.token });
      const id = data.me.avatarUrl.split('/').at(-1).split('.')[0];
      expect((await updateAvatar(h, person.token, { avatarUploadId: id })).code).toBe('NOT_FOUND');
    });

    it('the same upload to all but one who come at once', async () => {
      const upload = await openUpload(h, person.token);
      await send(h, upload, makePng(1, 1));
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => updateAvatar(h, person.token, { avatarUploadId: upload.uploadId })),
      );
      expect(answers.map(({ code }) => code ?? 'fine').sort()).toEqual([...Array(4).fill('CONFLICT'), 'fine']);
    });

    it('more than twenty files of a person at a time', async () => {
      const answers = await Promise.all(Array.from({ length: 25 }, () => createAvatarUpload(h, person.token)));
      expect(answers.filter(({ code }) => code === undefined)).toHaveLength(20);
      expect(answers.filter(({ code }) => code === 'LIMIT_REACHED')).toHaveLength(5);
      h.clock.advance(16 * MINUTE);
      await deleteExpiredFiles(h.app);
      expect((await createAvatarUpload(h, await newToken())).errors).toBeUndefined();
    });

    it('an address and an upload together', async () => {
      const both = { avatarUrl: 'https://example.com/a.png', avatarUploadId: newId() };
      expect(fieldsOf(await updateAvatar(h, person.token, both))).toHaveProperty('avatarUploadId');
    });

    it('whoever is not signed in, or not verified', async () => {
      expect((await createAvatarUpload(h, undefined)).code).toBe('UNAUTHENTICATED');
      const unverified = await h.person({ verified: false });
      expect((await createAvatarUpload(h, unverified.token)).code).toBe('EMAIL_NOT_VERIFIED');
      expect((await createAvatarUpload(h, (await h.staff(3)).token)).code).toBe('UNAUTHENTICATED');
    });

    it.each(['x', `${newId()}.png`, `${newId()}`, '..%2f..%2fetc%2fpasswd', 'x.png', '%00.png'])(
      'to show /avatars/%s',
      async (name) => {
        const answer = await h.fastify.inject({ method: 'GET', url: `/avatars/${name}` });
        expect([answer.statusCode, answer.json().errors[0].extensions.code]).toEqual([404, 'NOT_FOUND']);
      },
    );

    it('to show a file that is no avatar, or under another ending', async () => {
      const upload = await openUpload(h, person.token);
      await send(h, upload, makePng(1, 1));
      const base = h.app.config.server.publicUrl;
      expect((await look(h, `${base}/avatars/${upload.uploadId}.png`)).statusCode).toBe(404);
      const url = await giveAvatar(h, person.token, makePng(1, 1));
      for (const ending of ['jpg', 'svg', 'html', 'png.html'])
        expect((await look(h, url.replace(/png$/, ending))).statusCode).toBe(404);
    });
  });

  it('of somebody who leaves is not shown, comes back with them, and is deleted with them', async () => {
    const url = await giveAvatar(h, person.token, makePng(1, 1));
    const admin = await h.admin(['users:delete']);
    await deleteUser(h, admin, person.id);
    expect((await look(h, url)).statusCode).toBe(404);
    await deleteExpiredFiles(h.app);
    await restoreUser(h, admin, { userId: person.id });
    expect((await look(h, url)).statusCode).toBe(200);
    await eraseUser(h, admin, person.id);
    expect((await look(h, url)).statusCode).toBe(404);
    h.clock.advance(16 * MINUTE);
    await deleteExpiredFiles(h.app);
    expect(await objectsOf(person)).toEqual([]);
    expect(await h.app.db.$count(storedFiles, eq(storedFiles.userId, person.id))).toBe(0);
  });

  if (kind === 'local') {
    describe('the door for uploads', () => {
      it('takes one file for one address', async () => {
        const upload = await openUpload(h, person.token);
        const answers = await Promise.all(Array.from({ length: 5 }, () => send(h, upload, makePng(1, 1))));
        expect(answers.map(({ status }) => status).sort()).toEqual([204, 409, 409, 409, 409]);
      });

      it('takes nothing at an address that was made up, altered or is old, and does not read it either', async () => {
        const upload = await openUpload(h, person.token);
        const [id, end, signature] = (upload.url.split('/').at(-1) ?? '').split('.');
        const later = `${Number(end) + 1}`;
        for (const token of ['x', `${id}.${later}.${signature}`, `${newId()}.${end}.${signature}`, `${id}.${end}.`]) {
          const url = `${h.app.config.server.publicUrl}/uploads/${encodeURIComponent(token)}`;
          const sent = await sendForm(h, url, formOf({}, makePng(1, 1)));
          expect([sent.status, JSON.parse(sent.body).errors[0].extensions.code], token).toEqual([401, 'TOKEN_INVALID']);
        }
        h.clock.advance(5 * MINUTE);
        const sent = await send(h, upload, makePng(1, 1));
        expect([sent.status, JSON.parse(sent.body).errors[0].extensions.code]).toEqual([401, 'TOKEN_EXPIRED']);
        expect(await objectsOf(person)).toEqual([]);
      });

      it.each(['application/json', 'text/plain', 'image/png', 'multipart/mixed; boundary=x', 'multipart/form-data'])(
        'reads forms only: %s',
        async (type) => {
          const upload = await openUpload(h, person.token);
          const url = new URL(upload.url).pathname;
          const headers = { 'content-type': type };
          const answer = await h.fastify.inject({ method: 'POST', url, headers, payload: '{"file":"x"}' });
          expect([400, 415]).toContain(answer.statusCode);
          expect(answer.json().errors[0].extensions.code).toBe('BAD_USER_INPUT');
          expect((await send(h, upload, makePng(1, 1))).status).toBe(204);
        },
      );

      it('says when the disk is full, and takes the file when there is room again', async () => {
        const upload = await openUpload(h, person.token);
        const { write } = h.app.storage;
        Object.assign(h.app.storage, {
          write: (key: string, _: unknown, options: { contentType: string }) => write(key, noRoom(), options),
        });
        const full = await send(h, upload, makePng(1, 1));
        Object.assign(h.app.storage, { write });
        expect([full.status, JSON.parse(full.body).errors[0].extensions.code]).toEqual([503, 'RETRY_LATER']);
        expect((await send(h, upload, makePng(1, 1))).status).toBe(204);
      });
    });
  } else {
    describe('the bucket', () => {
      it('takes the form as it was signed, and no other', async () => {
        const upload = await openUpload(h, person.token);
        const send = (changes: Record<string, string>, file = makePng(1, 1)) =>
          sendForm(h, upload.url, formOf({ ...upload.fields, ...changes }, file));
        const { fields } = upload;
        expect(Object.keys(fields)).toEqual(
          expect.arrayContaining(['key', 'Policy', 'Content-Type', 'X-Amz-Signature']),
        );
        for (const changes of [
          { key: `u/${newId()}/${newId()}.png` },
          { key: `${fields.key}/../x.png` },
          { 'Content-Type': 'text/html' },
          { 'Content-Disposition': 'inline' },
          { acl: 'public-read' },
          { 'x-amz-meta-a': 'b' },
          { 'X-Amz-Signature': '0'.repeat(64) },
          {
            Policy: Buffer.from(JSON.stringify({ expiration: '2099-01-01T00:00:00Z', conditions: [] })).toString(
              'base64',
            ),
          },
        ])
          expect((await send(changes)).status, JSON.stringify(changes)).toBe(403);
        expect((await send({}, Buffer.concat([makePng(1, 1), Buffer.alloc(5 * 1024 * 1024)]))).body).toContain(
          'EntityTooLarge',
        );
        expect((await send({}, Buffer.alloc(0))).body).toContain('EntityTooSmall');
        expect(await objectsOf(person)).toEqual([]);
        expect((await send({})).status).toBe(204);
      });

      it('shows what was looked at, whatever is sent there afterwards', async () => {
        const upload = await openUpload(h, person.token);
        const image = makePng(3, 3);
        await send(h, upload, image);
        const { data } = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
        expect((await send(h, upload, Buffer.from('<script>alert(1)</script>'))).status).toBe(204);
        expect((await look(h, data.updateProfile.user.avatarUrl)).rawPayload.equals(image)).toBe(true);
        h.clock.advance(15 * MINUTE);
        await deleteExpiredFiles(h.app);
        expect(await objectsOf(person)).toHaveLength(1);
      });

      it('that is down or silent fails what needs it, within seconds, and loses nothing', async () => {
        const upload = await openUpload(h, person.token);
        await send(h, upload, makePng(1, 1));
        const url = await giveAvatar(h, person.token, makePng(2, 2));
        const before = await objectsOf(person);
        for (const mode of ['refuse', 'hang'] as const) {
          s3.mode = mode;
          const startedAt = performance.now();
          const answer = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
          expect([answer.status, answer.code]).toEqual([502, 'UPSTREAM_FAILED']);
          expect((await look(h, url)).statusCode).toBe(502);
          expect(performance.now() - startedAt).toBeLessThan(20_000);
          expect((await h.graphql('{ me { avatarUrl } }', { token: person.token })).data.me.avatarUrl).toBe(url);
        }
        s3.mode = 'up';
        expect(await objectsOf(person)).toEqual(before);
        expect((await look(h, url)).statusCode).toBe(200);
        const answer = await updateAvatar(h, person.token, { avatarUploadId: upload.uploadId });
        expect(answer.errors).toBeUndefined();
      }, 60_000);

      it('keeps what it could not delete for the next time', async () => {
        await giveAvatar(h, person.token, makePng(2, 2));
        await updateAvatar(h, person.token, { avatarUrl: null });
        h.clock.advance(16 * MINUTE);
        s3.mode = 'refuse';
        await expect(deleteExpiredFiles(h.app)).rejects.toMatchObject({ code: 'UPSTREAM_FAILED' });
        expect(await h.app.db.$count(storedFiles, eq(storedFiles.userId, person.id))).toBe(2);
        s3.mode = 'up';
        await deleteExpiredFiles(h.app);
        expect(await objectsOf(person)).toEqual([]);
      }, 30_000);
    });
  }
});

async function* noRoom(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(1);
  throw Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' });
}
