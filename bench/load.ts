// The load generator, the same for every side of every comparison: keep-alive connections over plain sockets with one
// request under way on each. Node's own clients cost more than the servers measured here.
import { connect, type Socket } from 'node:net';

/** What one connection sends and what it does with the answers. */
export interface Script {
  next(): Buffer;
  /** Only called when given: most rows need no more than "it went well". */
  answered?(body: string): void;
}

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly seconds: number;
  /** Stops after so many answers, whichever comes first. */
  readonly requests?: number;
  readonly script: (connection: number) => Script;
}

export interface Load {
  readonly requests: number;
  readonly seconds: number;
  readonly perSecond: number;
  /** Latencies in milliseconds, sorted. */
  readonly latencies: Float64Array;
}

/** One request as it goes over the wire. */
export function post(path: string, body: unknown, headers: Record<string, string> = {}): Buffer {
  const text = JSON.stringify(body);
  const lines = Object.entries({ host: 'bench', 'content-type': 'application/json', ...headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\n${lines.join('')}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
  );
}

/** Sends until the time is over and answers what was answered. Throws at the first answer that is not a plain success. */
export async function load(options: LoadOptions): Promise<Load> {
  const { connections, seconds } = options;
  const limit = options.requests ?? Number.POSITIVE_INFINITY;
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1_000;
  const { hostname, port } = new URL(options.url);
  const isOver = (now: number) => now >= end || latencies.length >= limit;
  await Promise.all(
    Array.from({ length: connections }, (_, index) =>
      talk(connect(Number(port), hostname), { script: options.script(index), latencies, isOver }),
    ),
  );
  const took = (performance.now() - start) / 1_000;
  return {
    requests: latencies.length,
    seconds: took,
    perSecond: latencies.length / took,
    latencies: Float64Array.from(latencies).sort(),
  };
}

export function percentile({ latencies }: Pick<Load, 'latencies'>, share: number): number {
  return latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN;
}

interface Talk {
  readonly script: Script;
  readonly latencies: number[];
  readonly isOver: (now: number) => boolean;
}

function talk(socket: Socket, { script, latencies, isOver }: Talk): Promise<void> {
  socket.setNoDelay(true);
  return new Promise((resolve, reject) => {
    let pending: Buffer | undefined;
    let sentAt = 0;
    const fail = (reason: string) => {
      socket.destroy();
      reject(new Error(reason));
    };
    const send = () => {
      sentAt = performance.now();
      if (isOver(sentAt)) {
        socket.end();
        resolve();
        return;
      }
      socket.write(script.next());
    };
    socket.on('connect', send);
    socket.on('error', (error) => fail(error.message));
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => {
      const data = pending === undefined ? chunk : Buffer.concat([pending, chunk]);
      const answer = readAnswer(data);
      pending = answer === undefined ? data : undefined;
      if (answer === undefined) return;
      if (answer.status !== 200 || data.includes('"errors"', answer.bodyAt)) return fail(data.toString());
      latencies.push(performance.now() - sentAt);
      script.answered?.(data.toString('utf8', answer.bodyAt));
      send();
    });
  });
}

/** Where the body of a whole answer begins; undefined while some of it is still to come. */
function readAnswer(data: Buffer): { status: number; bodyAt: number } | undefined {
  const end = data.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = data.toString('latin1', 0, end);
  const length = /content-length: (\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`no content-length in\n${head}`);
  const bodyAt = end + 4;
  return data.length < bodyAt + Number(length) ? undefined : { status: Number(head.slice(9, 12)), bodyAt };
}
