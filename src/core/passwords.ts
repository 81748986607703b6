import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { AppError, badInput } from './errors.js';
import { canonicalPassword } from './password-policy.js';
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
  const run = observedRun(pool, options.onJob);
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

/** The child that hashes: this file's neighbour, as TypeScript or as built. It inherits neither environment nor flags. */
export function startWorker(): ChildProcess {
  const file = import.meta.url.endsWith('.ts') ? './password-worker.ts' : './password-worker.js';
  return fork(fileURLToPath(new URL(file, import.meta.url)), {
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

interface Pool {
  run(job: HashJob, onStart?: () => void): Promise<HashAnswer>;
  waiting(): number;
  close(): Promise<void>;
}

interface Task {
  readonly job: HashJob;
  readonly onStart: (() => void) | undefined;
  readonly resolve: (answer: HashAnswer) => void;
  readonly reject: (error: Error) => void;
  attempts: number;
}

/** Jobs that may wait; with 64 waiting the last would wait most of a second a core, and the client is told to come back. */
const MAX_QUEUED = 64;
const MAX_ATTEMPTS = 2;
/** The largest accepted hash takes about two seconds: a child that is silent for longer is not coming back. */
const JOB_TIMEOUT_MS = 30_000;

const busy = () => new AppError('RETRY_LATER', { retryAfterSeconds: 1 });

/** The job a child has, and the next, which it finds there when it is done: a round trip between two costs a tenth of a hash. */
const JOBS_A_LANE = 2;

/** As many children as `size`, each started at need and kept; the jobs that they do not have yet wait in a queue. */
function createPool(size: number, start: () => ChildProcess): Pool {
  const queue: Task[] = [];
  const lanes = new Set<Lane>();
  let closed = false;

  function openLane(): Lane {
    const lane = createLane(start(), {
      onFree: dispatch,
      // A job that ends two children is to blame itself; one is an accident, and the one behind it had no part in it.
      onGone: ([task, next]) => {
        lanes.delete(lane);
        if (next !== undefined) next.attempts -= 1;
        for (const lost of [next, task]) {
          if (lost !== undefined && (closed || lost.attempts >= MAX_ATTEMPTS)) lost.reject(busy());
          else if (lost !== undefined) queue.unshift(lost);
        }
        dispatch();
      },
    });
    lanes.add(lane);
    return lane;
  }

  function laneForNext(): Lane | undefined {
    const least = [...lanes].sort((a, b) => a.load() - b.load())[0];
    if (least?.load() === 0) return least;
    if (lanes.size < size) return openLane();
    return least !== undefined && least.load() < JOBS_A_LANE ? least : undefined;
  }

  function dispatch(): void {
    while (queue.length > 0 && !closed) {
      try {
        const lane = laneForNext();
        if (lane === undefined) return;
        const task = queue.shift() as Task;
        task.attempts += 1;
        lane.run(task);
      } catch {
        // No memory or no process left for another child.
        queue.shift()?.reject(busy());
      }
    }
  }

  const waiting = () => [...lanes].reduce((sum, lane) => sum + Math.max(0, lane.load() - 1), queue.length);

  return {
    run(job, onStart) {
      if (closed || waiting() >= MAX_QUEUED) return Promise.reject(busy());
      return new Promise((resolve, reject) => {
        queue.push({ job, onStart, resolve, reject, attempts: 0 });
        dispatch();
      });
    },
    waiting,
    async close() {
      closed = true;
      for (const task of queue.splice(0)) task.reject(busy());
      await Promise.all([...lanes].map((lane) => lane.end()));
    },
  };
}

interface Lane {
  /** Jobs that the child has. */
  load(): number;
  run(task: Task): void;
  end(): Promise<void>;
}

interface LaneEvents {
  /** The child has done a job. */
  readonly onFree: () => void;
  /** The child is gone, with the jobs it had: what it worked at, and what was to come next. Called once. */
  readonly onGone: (tasks: readonly Task[]) => void;
}

/** One child and the jobs it has. While it has none it does not keep this process alive. */
function createLane(child: ChildProcess, { onFree, onGone }: LaneEvents): Lane {
  const tasks: Task[] = [];
  let timer: NodeJS.Timeout | undefined;
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });

  function watchFirst(): void {
    clearTimeout(timer);
    const [first] = tasks;
    if (first !== undefined) {
      first.onStart?.();
      timer = setTimeout(leave, JOB_TIMEOUT_MS);
      return;
    }
    child.unref();
    child.channel?.unref();
  }

  let gone = false;
  function leave(): void {
    if (gone) return;
    gone = true;
    child.kill('SIGKILL');
    ended();
    const lost = tasks.splice(0);
    watchFirst();
    onGone(lost);
  }

  child.on('exit', leave);
  child.on('error', leave);
  child.on('message', ({ answer }: { answer?: HashAnswer }) => {
    // What a child said last may come after the news of its end: its jobs are with another by then.
    if (gone) return;
    const done = tasks.shift();
    watchFirst();
    done?.resolve(answer);
    onFree();
  });

  return {
    load: () => tasks.length,
    run(task) {
      tasks.push(task);
      child.ref();
      child.channel?.ref();
      if (tasks.length === 1) watchFirst();
      child.send(task.job, (error) => error && leave());
    },
    end() {
      // Or a process with nothing else to do would end before it has seen its child end.
      child.ref();
      child.kill('SIGKILL');
      return end;
    },
  };
}
