import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { hashSync as bcryptSync } from '@node-rs/bcrypt';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { startWorker } from '../../src/core/password-pool.js';
import { createPasswords, type Passwords, type PoolOptions } from '../../src/core/passwords.js';

/** As cheap as Argon2 goes: what is tested here is everything around it. */
const CHEAP = { memoryKiB: 64, iterations: 2, parallelism: 1 };

const open: Passwords[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const passwords of open.splice(0)) await passwords.close();
});

/** Passwords whose children and jobs can be watched. */
function watched(options: PoolOptions & { settings?: typeof CHEAP; prepare?: (child: ChildProcess) => void } = {}) {
  const children: ChildProcess[] = [];
  const jobs: { kind: string; stored?: string }[] = [];
  const start = () => {
    const child = startWorker();
    const send = child.send.bind(child) as (message: object, callback: (error: Error | null) => void) => boolean;
    child.send = ((message: { kind: string }, callback: () => void) => {
      jobs.push(message);
      return send(message, callback);
    }) as typeof child.send;
    children.push(child);
    options.prepare?.(child);
    return child;
  };
  const passwords = createPasswords(options.settings ?? CHEAP, { workers: options.workers ?? 1, start });
  open.push(passwords);
  return { passwords, children, jobs };
}

describe('hashing', () => {
  test('gives an Argon2id string with today’s cost and a salt of its own, which the password verifies', async () => {
    const { passwords } = watched();
    const [first, second] = await Promise.all([passwords.hash('correct horse'), passwords.hash('correct horse')]);
    expect(first).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(second).not.toBe(first);
    expect(await passwords.verify('correct horse', first)).toEqual({ ok: true, needsRehash: false });
    expect(await passwords.verify('correct horsf', first)).toEqual({ ok: false, needsRehash: false });
  });

  test('takes NFC as its only change to a password', async () => {
    const { passwords } = watched();
    const composed = await passwords.hash('caf\u00e9 caf\u00e9 1234');
    expect((await passwords.verify('cafe\u0301 cafe\u0301 1234', composed)).ok).toBe(true);
    for (const other of ['café café 1234 ', ' café café 1234', 'Café café 1234', 'cafe cafe 1234', 'café café １234']) {
      expect((await passwords.verify(other, composed)).ok).toBe(false);
    }
  });

  test('keeps any two different passwords different', async () => {
    const { passwords } = watched();
    const anyText = fc.string({
      unit: fc.constantFrom('a', 'A', ' ', '\0', '\t', 'é', '💡', 'ﬁ', '\u200d'),
      minLength: 1,
      maxLength: 12,
    });
    const check = fc.asyncProperty(anyText, anyText, async (mine, other) => {
      const stored = await passwords.hash(mine);
      expect((await passwords.verify(other, stored)).ok).toBe(mine.normalize('NFC') === other.normalize('NFC'));
    });
    await fc.assert(check, { numRuns: 50 });
  });

  test('counts all of a long password', async () => {
    const { passwords } = watched();
    const long = '💡'.repeat(127);
    const stored = await passwords.hash(`${long}a`);
    expect((await passwords.verify(`${long}a`, stored)).ok).toBe(true);
    expect((await passwords.verify(`${long}b`, stored)).ok).toBe(false);
  });

  test.each([
    ['a lone surrogate', 'password \ud800'],
    ['129 characters', 'a'.repeat(129)],
    ['more than 1,024 bytes', 'e\u0301\u0301\u0301'.repeat(200)],
    ['a million characters', 'a'.repeat(1_000_000)],
  ])('refuses %s before any work', async (_, password) => {
    const { passwords, children } = watched();
    await expect(passwords.hash(password)).rejects.toMatchObject({ code: 'BAD_USER_INPUT' });
    expect(await passwords.verify(password, null)).toEqual({ ok: false, needsRehash: false });
    expect(children).toHaveLength(0);
  });
});

describe('a stored hash', () => {
  const PASSWORD = 'correct horse battery';
  const BCRYPT = bcryptSync(PASSWORD, 4);
  const hashedWith = (settings: typeof CHEAP) => watched({ settings }).passwords.hash(PASSWORD);

  test.each(['2a', '2b', '2y'] as const)('of bcrypt $%s$ verifies and is to be replaced', async (version) => {
    const { passwords } = watched();
    // The three differ in name only, for a password of ASCII letters; the package writes the last.
    const stored = BCRYPT.replace('$2y$', `$${version}$`);
    expect(await passwords.verify(PASSWORD, stored)).toEqual({ ok: true, needsRehash: true });
    expect(await passwords.verify('wrong', stored)).toEqual({ ok: false, needsRehash: false });
  });

  test('made elsewhere verifies', async () => {
    const { passwords } = watched();
    // The first from the bcrypt suite of Openwall, the second from the reference implementation's tests of Argon2.
    expect((await passwords.verify('U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW')).ok).toBe(
      true,
    );
    const reference = '$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4';
    expect(await passwords.verify('password', reference)).toEqual({ ok: true, needsRehash: true });
  });

  test.each([
    ['less memory', { ...CHEAP, memoryKiB: 32 }, true],
    ['fewer passes', { ...CHEAP, iterations: 1 }, true],
    ['more memory', { ...CHEAP, memoryKiB: 128 }, false],
    ['more passes', { ...CHEAP, iterations: 3 }, false],
    ['more lanes', { ...CHEAP, parallelism: 2 }, false],
  ])('with %s than today: to be replaced or not', async (_, settings, needsRehash) => {
    const { passwords } = watched();
    expect(await passwords.verify(PASSWORD, await hashedWith(settings))).toEqual({ ok: true, needsRehash });
  });

  test.each([
    ['memory', '$argon2id$v=19$m=262145,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
    ['much memory', '$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
    ['passes', '$argon2id$v=19$m=256,t=11,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
    ['lanes', '$argon2id$v=19$m=256,t=2,p=5$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4'],
    ['rounds of bcrypt', BCRYPT.replace('$04$', '$16$')],
  ])('that asks for too many %s is never computed; the decoy is', async (_, stored) => {
    const { passwords, jobs } = watched();
    expect(await passwords.verify('password', stored)).toEqual({ ok: false, needsRehash: false });
    expect(jobs).toHaveLength(1);
    expect(jobs[0]).toMatchObject({
      kind: 'argon2',
      stored: expect.stringMatching(/^\$argon2id\$v=19\$m=64,t=2,p=1\$/),
    });
  });

  test.each([
    '',
    'plain',
    '$argon2id$',
    '$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4',
    `${BCRYPT}x`,
    BCRYPT.replace('$2y$', '$2x$'),
    `x${BCRYPT}`,
  ])('that is none of the accepted forms (%j) fits no password', async (stored) => {
    const { passwords, jobs } = watched();
    expect(await passwords.verify(PASSWORD, stored)).toEqual({ ok: false, needsRehash: false });
    expect(jobs[0]?.stored).toMatch(/^\$argon2id\$v=19\$m=64,t=2,p=1\$/);
  });

  test.each([null, undefined])(
    'that is %s costs one verification of a decoy with today’s cost, and never fits',
    async (stored) => {
      const { passwords, jobs } = watched();
      const mine = await passwords.hash(PASSWORD);
      expect(await passwords.verify(PASSWORD, stored)).toEqual({ ok: false, needsRehash: false });
      await passwords.verify(PASSWORD, mine);
      const [, decoy, real] = jobs;
      const shape = (text = '') =>
        text.replace(/[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/, (parts) => parts.replace(/[^$]/g, '.'));
      expect(decoy?.kind).toBe(real?.kind);
      expect(shape(decoy?.stored)).toBe(shape(real?.stored));
    },
  );
});

describe('the children', () => {
  test('are no more than allowed, each used again, started at the first need', async () => {
    const { passwords, children } = watched({ workers: 2 });
    expect(children).toHaveLength(0);
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 10 }, () => passwords.hash('a password')));
    expect(children).toHaveLength(2);
  });

  test('have 64 jobs waiting at most; the next caller is told to retry, and nobody who was accepted is lost', async () => {
    const { passwords, children } = watched({ prepare: (child) => child.kill('SIGSTOP') });
    const accepted = Array.from({ length: 65 }, () => passwords.verify('a password', null));
    const refusal = { code: 'RETRY_LATER', extensions: { retryAfterSeconds: 1 } };
    await expect(passwords.hash('a password')).rejects.toMatchObject(refusal);
    await expect(passwords.verify('a password', null)).rejects.toMatchObject(refusal);
    children[0]?.kill('SIGCONT');
    expect(await Promise.all(accepted)).toHaveLength(65);
    expect(await passwords.hash('a password')).toMatch(/^\$argon2id/);
  });

  test('that die give their job to the next child', async () => {
    let deaths = 0;
    const { passwords, children } = watched({
      prepare(child) {
        if (deaths++ === 0) child.kill('SIGKILL');
      },
    });
    expect(await passwords.hash('a password')).toMatch(/^\$argon2id/);
    children[1]?.kill('SIGKILL');
    expect(await passwords.hash('a password')).toMatch(/^\$argon2id/);
  });

  test('that die twice over one job answer it with RETRY_LATER, and the next job is served', async () => {
    let deaths = 0;
    const { passwords } = watched({
      prepare(child) {
        if (deaths++ < 2) child.kill('SIGKILL');
      },
    });
    const [first, second] = await Promise.allSettled([passwords.hash('a password'), passwords.hash('a password')]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'RETRY_LATER' } });
    expect(second).toMatchObject({ status: 'fulfilled' });
  });

  test('are not believed, nor used, after their end', async () => {
    let children = 0;
    const dying = () => {
      const child = Object.assign(new EventEmitter(), { kill: () => true, ref() {}, unref() {} });
      const send = () => queueMicrotask(() => [child.emit('exit'), child.emit('message', { answer: 'late' })]);
      return Object.assign(child, { send }) as unknown as ChildProcess;
    };
    const passwords = createPasswords(CHEAP, { workers: 1, start: () => (children++ === 0 ? dying() : startWorker()) });
    open.push(passwords);
    expect(await passwords.hash('a password')).toMatch(/^\$argon2id/);
    for (const hash of await Promise.all([passwords.hash('one'), passwords.hash('two')]))
      expect(hash).toMatch(/^\$argon2id/);
    expect(children).toBe(2);
  });

  /** Twenty sign-ins with a child that answers when it is told to, while no time passes that is not let pass. */
  function twentySignIns() {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const child = Object.assign(new EventEmitter(), { kill: () => true, ref() {}, unref() {}, send() {} });
    const start = () => child as unknown as ChildProcess;
    // Not among those that are closed: nobody says that this child has ended.
    const passwords = createPasswords(CHEAP, { workers: 1, start });
    let went = 0;
    const all = Array.from({ length: 20 }, async () => {
      await passwords.verify('a password', null);
      went += 1;
    });
    const answerOne = async () => {
      child.emit('message', { answer: true });
      await new Promise(setImmediate);
      return went;
    };
    return { all, answerOne };
  }

  test('have those go on together, eight by eight, behind whom as many still wait, and nobody else kept', async () => {
    const { all, answerOne } = twentySignIns();
    const gone: number[] = [];
    for (const _ of all) gone.push(await answerOne());
    expect(gone).toEqual([0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });

  test('keep nobody for company that does not come', async () => {
    const { all, answerOne } = twentySignIns();
    expect(await answerOne()).toBe(0);
    vi.advanceTimersByTime(50);
    await all[0];
  });

  test('that cannot be started answer with RETRY_LATER', async () => {
    const passwords = createPasswords(CHEAP, {
      start() {
        throw new Error('spawn ENOMEM');
      },
    });
    await expect(passwords.hash('a password')).rejects.toMatchObject({ code: 'RETRY_LATER' });
  });

  test('end with close; who still waits is told to retry, and nothing is accepted any more', async () => {
    const { passwords, children } = watched({ prepare: (child) => child.kill('SIGSTOP') });
    const waiting = Promise.allSettled([passwords.hash('a password'), passwords.hash('a password')]);
    await passwords.close();
    for (const outcome of await waiting)
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'RETRY_LATER' } });
    expect(children[0]?.signalCode).toBe('SIGKILL');
    await expect(passwords.hash('a password')).rejects.toMatchObject({ code: 'RETRY_LATER' });
  });

  test('run at low priority, outlive a signal to the group, and get the password over the channel alone', async () => {
    const { passwords, children } = watched();
    await passwords.hash('a password');
    const pid = children[0]?.pid ?? 0;
    expect(getPriority(pid)).toBe(19);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) children[0]?.kill(signal);
    await passwords.hash('a password');
    expect(children).toHaveLength(1);
    expect(children[0]?.spawnargs.join(' ')).not.toContain('a password');
    if (existsSync('/proc'))
      expect(readFileSync(`/proc/${pid}/environ`, 'utf8').match(/\w+(?==)/g)).toEqual([
        'NODE_CHANNEL_FD',
        'NODE_CHANNEL_SERIALIZATION_MODE',
      ]);
  });

  /** Runs a module of ours in a plain Node process, as TypeScript: `.js` endings lead to their sources. */
  function plainNode(program: string) {
    const hook = `import { registerHooks } from 'node:module';
      const resolve = (name, context, next) => { try { return next(name, context); } catch { return next(name.replace(/\\.js$/, '.ts'), context); } };
      registerHooks({ resolve });`;
    const source = fileURLToPath(new URL('../../src/core/passwords.ts', import.meta.url));
    const start = `import { createPasswords } from ${JSON.stringify(source)};
      const passwords = createPasswords(${JSON.stringify(CHEAP)}, { workers: 1 });`;
    const flags = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`, '--input-type=module'];
    return spawn(process.execPath, [...flags, '--eval', `${start} ${program}`], { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  // The child writes to the same standard error as its server: that closes only when both are gone.
  test('do not keep a finished program from ending, nor outlive it', { timeout: 20_000 }, async () => {
    const server = plainNode("console.log(await passwords.hash('a password'));");
    const output = text(server.stdout);
    expect(await once(server, 'close')).toEqual([0, null]);
    expect(await output).toMatch(/^\$argon2id/);
  });

  test('are waited for by close in a program that has nothing else to do', { timeout: 20_000 }, async () => {
    const server = plainNode("await passwords.hash('a password'); await passwords.close(); console.log('closed');");
    const output = text(server.stdout);
    expect(await once(server, 'close')).toEqual([0, null]);
    expect(await output).toBe('closed\n');
  });

  test('die with a killed server', { timeout: 20_000 }, async () => {
    const server = plainNode("console.log(await passwords.hash('a password')); setInterval(() => {}, 1000);");
    expect(String(await once(server.stdout, 'data'))).toMatch(/^\$argon2id/);
    server.kill('SIGKILL');
    expect(await once(server, 'close')).toEqual([null, 'SIGKILL']);
  });
});
