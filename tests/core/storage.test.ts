import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/core/columns.js';
import { createStorage, readWhole, type Storage } from '../../src/core/storage.js';
import { silentLog } from '../support/database.js';
import { type S3Server, startS3Server } from '../support/s3-server.js';

let s3: S3Server;
let directory: string;
const options = { log: silentLog, requireOutside: () => undefined };
const storages = {} as { local: Storage; s3: Storage };

beforeAll(async () => {
  s3 = await startS3Server();
  directory = await mkdtemp(join(tmpdir(), 'credence-files-'));
  storages.local = createStorage({ storage: { kind: 'local', directory } }, options);
  storages.s3 = createStorage({ storage: s3.config }, options);
});
beforeEach(() => {
  s3.mode = 'up';
});
afterAll(async () => {
  await storages.s3.close();
  await s3.close();
  await rm(directory, { recursive: true, force: true });
});

const newKey = () => `u/${newId()}/${newId()}.png`;
const contentType = 'image/png';

/** Eleven megabytes that never are in memory together: three parts. */
async function* many(): AsyncGenerator<Buffer> {
  for (let index = 0; index < 110; index += 1) yield Buffer.alloc(100_000, index);
}

describe.each(['local', 's3'] as const)('%s storage', (kind) => {
  it('gives back what was written, knows its size, and forgets what was removed', async () => {
    const storage = storages[kind];
    const key = newKey();
    expect(await storage.open(key)).toBeUndefined();
    expect(await storage.write(key, [Buffer.from('one, '), Buffer.from('two')], { contentType })).toEqual({
      sizeBytes: 8,
    });
    const object = await storage.open(key);
    expect(object?.sizeBytes).toBe(8);
    expect(object && (await readWhole(object, 8)).toString()).toBe('one, two');
    await storage.write(key, [Buffer.from('three')], { contentType });
    const again = await storage.open(key);
    expect(again && (await readWhole(again, 100)).toString()).toBe('three');
    await storage.remove(key);
    expect(await storage.open(key)).toBeUndefined();
    await storage.remove(key);
  });

  it('takes contents piece by piece', async () => {
    const storage = storages[kind];
    const key = newKey();
    expect(await storage.write(key, many(), { contentType })).toEqual({ sizeBytes: 11_000_000 });
    const object = await storage.open(key);
    const bytes = object && (await readWhole(object, 11_000_000));
    expect(bytes?.[0]).toBe(0);
    expect(bytes?.at(-1)).toBe(109);
  });

  it('reads no more than it was told to', async () => {
    const storage = storages[kind];
    const key = newKey();
    await storage.write(key, many(), { contentType });
    const object = await storage.open(key);
    await expect(object && readWhole(object, 1_000_000)).rejects.toThrow(RangeError);
  });

  it('leaves nothing when the contents fail on the way, and passes on why', async () => {
    const storage = storages[kind];
    const key = newKey();
    async function* failing() {
      yield Buffer.from('begun');
      throw new Error('no more');
    }
    await expect(storage.write(key, failing(), { contentType })).rejects.toThrow('no more');
    expect(await storage.open(key)).toBeUndefined();
  });

  it('leaves nothing when they fail after the first parts', async () => {
    const storage = storages[kind];
    const key = newKey();
    async function* failing() {
      yield* many();
      throw new Error('no more');
    }
    await expect(storage.write(key, failing(), { contentType })).rejects.toThrow('no more');
    expect(await storage.open(key)).toBeUndefined();
  });

  it.each(['../../etc/passwd', 'u/../x.png', `u/${newId()}/../../x.png`, `u/${newId()}/${newId()}.p\0g`, '', '/u'])(
    'has no key %j',
    async (key) => {
      const storage = storages[kind];
      for (const call of [() => storage.open(key), () => storage.remove(key)]) await expect(call()).rejects.toThrow();
      await expect(storage.write(key, [Buffer.from('x')], { contentType })).rejects.toThrow();
    },
  );
});

describe('local storage', () => {
  it('is readable by its owner alone', async () => {
    const key = newKey();
    await storages.local.write(key, [Buffer.from('x')], { contentType });
    expect((await stat(join(directory, key))).mode & 0o077).toBe(0);
    expect((await stat(join(directory, 'drafts'))).mode & 0o077).toBe(0);
  });

  it('clears away what was cut off a day ago, and not what is being written', async () => {
    const drafts = join(directory, 'drafts');
    await writeFile(join(drafts, 'old'), 'x');
    await writeFile(join(drafts, 'new'), 'x');
    const twoDaysAgo = Date.now() / 1000 - 2 * 86_400;
    await utimes(join(drafts, 'old'), twoDaysAgo, twoDaysAgo);
    await createStorage({ storage: { kind: 'local', directory } }, options).write(newKey(), [Buffer.from('x')], {
      contentType,
    });
    expect(await readdir(drafts)).toEqual(['new']);
  });

  it('says when there is no room, and leaves nothing behind', async () => {
    // What the disk would say at the second piece.
    async function* full(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(1);
      throw Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' });
    }
    const key = newKey();
    const writing = storages.local.write(key, full(), { contentType });
    await expect(writing).rejects.toMatchObject({ code: 'RETRY_LATER' });
    expect(await storages.local.open(key)).toBeUndefined();
  });
});

describe('s3 storage', () => {
  const outcomeOf = async (call: () => Promise<unknown>) => {
    const startedAt = performance.now();
    const code = await call().then(
      () => 'fine',
      (error: { code?: string }) => error.code,
    );
    return { code, inTime: performance.now() - startedAt < 8_000 };
  };
  const refused = { code: 'UPSTREAM_FAILED', inTime: true };

  it.each(['refuse', 'hang'] as const)(
    'gives up within seconds when the server does: %s',
    async (mode) => {
      const key = newKey();
      await storages.s3.write(key, [Buffer.from('kept')], { contentType });
      s3.mode = mode;
      const outcomes = await Promise.all([
        outcomeOf(() => storages.s3.open(key)),
        outcomeOf(() => storages.s3.remove(key)),
        outcomeOf(() => storages.s3.write(newKey(), [Buffer.from('x')], { contentType })),
        outcomeOf(() => storages.s3.write(newKey(), many(), { contentType })),
      ]);
      expect(outcomes).toEqual([refused, refused, refused, refused]);
      s3.mode = 'up';
      const object = await storages.s3.open(key);
      expect(object && (await readWhole(object, 10)).toString()).toBe('kept');
    },
    30_000,
  );

  it('gives up when an answer begins and never ends', async () => {
    const key = newKey();
    await storages.s3.write(key, many(), { contentType });
    s3.mode = 'stall';
    const read = async () => {
      const object = await storages.s3.open(key);
      return object && readWhole(object, 20_000_000);
    };
    expect(await outcomeOf(read)).toEqual(refused);
  }, 30_000);

  it('needs no server to sign an upload', async () => {
    s3.mode = 'hang';
    const terms = { key: newKey(), contentType, maxBytes: 1_000, ttlSeconds: 300 };
    const form = await storages.s3.presignUpload?.(terms);
    const policy = JSON.parse(Buffer.from(form?.fields.Policy ?? '', 'base64').toString());
    expect(policy.conditions).toEqual(
      expect.arrayContaining([
        ['content-length-range', 1, 1_000],
        { 'Content-Type': contentType },
        { key: terms.key },
        { bucket: s3.config.bucket },
      ]),
    );
    const seconds = (new Date(policy.expiration).getTime() - Date.now()) / 1_000;
    expect(seconds).toBeGreaterThan(290);
    expect(seconds).toBeLessThan(301);
  });
});
