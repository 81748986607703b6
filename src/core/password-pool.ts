import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { AppError } from './errors.js';
import type { HashAnswer, HashJob } from './password-worker.js';

/** The child that hashes: this file's neighbour, as TypeScript or as built. It inherits neither environment nor flags. */
export function startWorker(): ChildProcess {
  const file = import.meta.url.endsWith('.ts') ? './password-worker.ts' : './password-worker.js';
  return fork(fileURLToPath(new URL(file, import.meta.url)), {
    env: {},
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
}

/** Children that hash, one job at a time each. */
export interface Pool {
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
export function createPool(size: number, start: () => ChildProcess): Pool {
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
