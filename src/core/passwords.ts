import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { badInput } from './errors.js';
import { canonicalPassword } from './password-policy.js';
import { createPool, type Pool, startWorker } from './password-pool.js';
import type { HashAnswer, HashJob, HashSettings } from './password-worker.js';

/**
 * Hashes and checks passwords in child processes of low priority, so that nothing in this process waits behind a hash.
 * The password reaches them over the IPC channel alone: never in arguments, environment or a file.
 */
export interface Passwords {
  /**
   * The Argon2id hash to store, as a PHC string.
   * @throws BAD_USER_INPUT for what is no possible password, RETRY_LATER when too many are waiting
   */
  hash(password: string): Promise<string>;
  /**
   * Whether the password belongs to the stored hash, and whether that is weaker than today's setting. Without a stored
   * hash a decoy of today's cost is verified, so that an unknown account takes as long as a known one.
   * @throws RETRY_LATER when too many are waiting
   */
  verify(password: string, stored: string | null | undefined): Promise<Verdict>;
  /** How many are hashed at once. */
  readonly workers: number;
  /** How many wait for a child now, for the gauge. */
  waiting(): number;
  /** Ends the children; whoever still waits is told to retry. */
  close(): Promise<void>;
}

export interface Verdict {
  readonly ok: boolean;
  /** True only when `ok`: hash the same password again and store that. */
  readonly needsRehash: boolean;
}

export interface PoolOptions {
  /** Hashes computed at once; one per core unless set. */
  readonly workers?: number;
  readonly start?: () => ChildProcess;
  /** Told of each password when it is done with, in the caller's own context. */
  readonly onJob?: (times: JobTimes) => void;
}

/** By `performance.now()`. Without a start it never came to a child: the queue was full, or the pool was closed. */
export interface JobTimes {
  readonly queuedAt: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number;
}

const NO: Verdict = { ok: false, needsRehash: false };

export function createPasswords(settings: HashSettings, options: PoolOptions = {}): Passwords {
  const workers = options.workers ?? availableParallelism();
  const pool = createPool(workers, options.start ?? startWorker);
  const compute = observedRun(pool, options.onJob);
  const gather = createGathering(() => pool.waiting() >= GROUP);
  const run = async (job: HashJob) => {
    const answer = await compute(job);
    await gather();
    return answer;
  };
  const decoy = decoyHash(settings);

  return {
    async hash(password) {
      const canonical = canonicalPassword(password);
      if (canonical === undefined) throw badInput({ password: 'is no possible password' });
      const { memoryKiB, iterations, parallelism } = settings;
      const answer = await run({
        kind: 'hash',
        password: canonical,
        settings: { memoryKiB, iterations, parallelism },
      });
      if (typeof answer !== 'string') throw new Error('A password could not be hashed.');
      return answer;
    },

    async verify(password, stored) {
      const canonical = canonicalPassword(password);
      // No decoy here: whether this path is taken depends on what was sent, not on any account.
      if (canonical === undefined) return NO;
      const known = parseStored(stored ?? '');
      if (known === undefined) {
        await run({ kind: 'argon2', password: canonical, stored: decoy });
        return NO;
      }
      const ok = (await run({ kind: known.kind, password: canonical, stored: stored ?? '' })) === true;
      return { ok, needsRehash: ok && known.isWeakerThan(settings) };
    },

    workers,
    waiting: () => pool.waiting(),
    close: () => pool.close(),
  };
}

/** Callers that go on together while at least as many are still to come. */
const GROUP = 8;
/** Nobody waits longer for company, whatever became of the others. */
const LONGEST_GATHERING_MS = 50;

/**
 * Lets those go on together who became ready one by one, while more are on their way. Each hash empties the processor's
 * caches: what a server does for eight in a row costs it a third less than for eight between two hashes each.
 * Where few wait, nobody is kept.
 */
function createGathering(isMoreComing: () => boolean): () => Promise<void> {
  let gathered: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  function goOn(): void {
    clearTimeout(timer);
    timer = undefined;
    const all = gathered;
    gathered = [];
    for (const resolve of all) resolve();
  }

  return () =>
    new Promise((resolve) => {
      gathered.push(resolve);
      if (gathered.length >= GROUP || !isMoreComing()) goOn();
      else timer ??= setTimeout(goOn, LONGEST_GATHERING_MS);
    });
}

function observedRun(pool: Pool, onJob: PoolOptions['onJob']): (job: HashJob) => Promise<HashAnswer> {
  if (!onJob) return (job) => pool.run(job);
  return async (job) => {
    const queuedAt = performance.now();
    let startedAt: number | undefined;
    try {
      return await pool.run(job, () => {
        startedAt = performance.now();
      });
    } finally {
      onJob({ queuedAt, startedAt, endedAt: performance.now() });
    }
  };
}

/** A hash of today's cost that no password fits: verifying computes all of it and compares with random bytes. */
function decoyHash({ memoryKiB, iterations, parallelism }: HashSettings): string {
  const base64 = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${memoryKiB},t=${iterations},p=${parallelism}$${base64(16)}$${base64(32)}`;
}

interface StoredHash {
  readonly kind: 'argon2' | 'bcrypt';
  isWeakerThan(settings: HashSettings): boolean;
}

const ARGON2 =
  /^\$argon2id\$v=19\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9])\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})$/;
const BCRYPT = /^\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}$/;
const MOST = { memoryKiB: 256 * 1024, iterations: 10, parallelism: 4 };
/** Characters of unpadded base64 for 16 bytes of salt and 32 of tag. */
const SALT_LENGTH = 22;
const TAG_LENGTH = 43;

/**
 * What a stored hash would cost, read before anything is computed: whoever can write one row must not be able to make
 * each sign-in take seconds and gigabytes. Undefined for every form and size that is not accepted (bcrypt above 2^15).
 */
function parseStored(stored: string): StoredHash | undefined {
  if (BCRYPT.test(stored)) return { kind: 'bcrypt', isWeakerThan: () => true };
  const [, m, t, p, salt = '', tag = ''] = ARGON2.exec(stored) ?? [];
  const [memoryKiB, iterations, parallelism] = [Number(m), Number(t), Number(p)];
  if (!(memoryKiB <= MOST.memoryKiB && iterations <= MOST.iterations && parallelism <= MOST.parallelism))
    return undefined;
  return {
    kind: 'argon2',
    isWeakerThan: (today) =>
      memoryKiB < today.memoryKiB ||
      iterations < today.iterations ||
      salt.length < SALT_LENGTH ||
      tag.length < TAG_LENGTH,
  };
}

/** Whether people whose hash was made elsewhere can sign in with it: its form and its cost, read without computing. */
export function isAcceptedHash(stored: string): boolean {
  return parseStored(stored) !== undefined;
}
