import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { LineQuery, StoreAnswer, StoredLine, StoreRequest, StoreSettings } from './log-store-worker.js';

export type { LineQuery, StoredLine };

/** Somewhere that log lines go besides standard output. Never throws and never makes anybody wait. */
export interface LineSink {
  write(line: string): void;
  /** Hands on what it still holds, for a moment. */
  close(): Promise<void>;
}

/** Log lines as data, in a SQLite file. */
export interface LogStore extends LineSink {
  /** Newest first. @throws Error when the file cannot be read now */
  find(query: LineQuery, limit: number): Promise<StoredLine[]>;
  count(query: LineQuery): Promise<number>;
}

const FLUSH_MS = 200;
const BATCH = 500;
/** Lines that wait for the disk at most; more are dropped and counted. */
const MOST_WAITING = 20_000;
const FIND_MS = 10_000;
const CLOSE_MS = 3_000;
const RESTART_MS = 30_000;

/** @param onDropped told how many lines were lost, and by which code (`SQLITE_13` is a full disk) */
export function openLogStore(settings: StoreSettings, onDropped: (count: number, code: string) => void): LogStore {
  const store = new WorkerStore(settings, onDropped);
  return {
    write: (line) => store.write(line),
    find: async (query, limit) => (await store.ask({ kind: 'find', query, limit })) as StoredLine[],
    count: async (query) => (await store.ask({ kind: 'count', query })) as number,
    close: () => store.close(),
  };
}

interface Asked {
  readonly resolve: (value: StoredLine[] | number) => void;
  readonly reject: (error: Error) => void;
}

type Question = { kind: 'find'; query: LineQuery; limit: number } | { kind: 'count'; query: LineQuery };

class WorkerStore {
  readonly #settings: StoreSettings;
  readonly #onDropped: (count: number, code: string) => void;
  readonly #asked = new Map<number, Asked>();
  #worker: Worker | undefined;
  #retryAt = 0;
  #pending: string[] = [];
  /** Lines given to the worker that it has not answered for. */
  #given = 0;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #isClosed = false;

  constructor(settings: StoreSettings, onDropped: (count: number, code: string) => void) {
    this.#settings = settings;
    this.#onDropped = onDropped;
  }

  write(line: string): void {
    if (this.#isClosed) return;
    if (this.#pending.length + this.#given >= MOST_WAITING) {
      this.#onDropped(1, 'SLOW');
      return;
    }
    this.#pending.push(line);
    if (this.#pending.length >= BATCH) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_MS).unref();
  }

  ask(question: Question): Promise<StoredLine[] | number> {
    this.#flush();
    const worker = this.#start();
    if (!worker) return Promise.reject(new Error('The log store is not running.'));
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise<StoredLine[] | number>((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      setTimeout(() => this.#asked.get(id)?.reject(new Error('The log store does not answer.')), FIND_MS).unref();
      worker.postMessage({ ...question, id } satisfies StoreRequest);
    }).finally(() => this.#asked.delete(id));
  }

  async close(): Promise<void> {
    this.#flush();
    this.#isClosed = true;
    const worker = this.#worker;
    if (!worker) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    const timer = setTimeout(() => void worker.terminate(), CLOSE_MS);
    worker.postMessage({ kind: 'close' } satisfies StoreRequest);
    await ended;
    clearTimeout(timer);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.length === 0) return;
    const lines = this.#pending;
    this.#pending = [];
    const worker = this.#start();
    if (!worker) {
      this.#onDropped(lines.length, 'ENDED');
      return;
    }
    this.#given += lines.length;
    worker.postMessage({ kind: 'write', lines } satisfies StoreRequest);
  }

  #start(): Worker | undefined {
    if (this.#worker || this.#isClosed || performance.now() < this.#retryAt) return this.#worker;
    const file = import.meta.url.endsWith('.ts') ? './log-store-worker.ts' : './log-store-worker.js';
    const worker = new Worker(fileURLToPath(new URL(file, import.meta.url)), {
      workerData: this.#settings,
      env: {},
      execArgv: [],
    });
    worker.unref();
    worker.on('message', (answer: StoreAnswer) => this.#hear(answer));
    worker.on('error', () => undefined);
    worker.on('exit', () => this.#noteEnd());
    this.#worker = worker;
    return worker;
  }

  #hear(answer: StoreAnswer): void {
    if (answer.kind === 'found') this.#asked.get(answer.id)?.resolve(answer.value);
    else if (answer.kind === 'failed') this.#asked.get(answer.id)?.reject(new Error('The log store cannot be read.'));
    else {
      this.#given -= answer.count;
      if (answer.kind === 'lost') this.#onDropped(answer.count, answer.code);
    }
  }

  #noteEnd(): void {
    this.#worker = undefined;
    this.#retryAt = performance.now() + RESTART_MS;
    if (this.#given > 0 && !this.#isClosed) this.#onDropped(this.#given, 'ENDED');
    this.#given = 0;
    for (const { reject } of this.#asked.values()) reject(new Error('The log store ended.'));
  }
}
