import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { textOf } from '../support/receiver.js';

/**
 * What becomes of one request: `lose` lets it through and breaks the connection instead of answering, `refuse` breaks it
 * before, `hang` never answers. Anything else is answered in the server's place.
 */
export type Fate =
  | 'pass'
  | 'lose'
  | 'refuse'
  | 'hang'
  | { status: number; headers?: Record<string, string>; body: string };

/** Stands between a client and a real server, counts what passes, and fails as told. */
export interface FaultyProxy {
  readonly url: string;
  /** The fates of the next requests, in their order; those after them pass. */
  plan(...fates: Fate[]): void;
  /** What has come since the last question, in its order. */
  seen(): { path: string; body: string; connection: number }[];
  /** From now on every answer of the server waits here; `go` lets all of them through. */
  hold(): { arrived(count: number): Promise<void>; go(): void };
  close(): Promise<void>;
}

interface Gate {
  opened: Promise<void>;
  noticed: () => void;
}

export async function createFaultyProxy(serverUrl: string): Promise<FaultyProxy> {
  let fates: Fate[] = [];
  let seen: ReturnType<FaultyProxy['seen']> = [];
  let gate: Gate | undefined;
  const server = createServer(async (near, answer) => {
    const body = await textOf(near);
    seen.push({ path: near.url ?? '', body, connection: near.socket.remotePort ?? 0 });
    const fate = fates.shift() ?? 'pass';
    if (fate === 'hang') return;
    if (fate === 'refuse') return void near.socket.destroy();
    if (typeof fate === 'object') return void answer.writeHead(fate.status, fate.headers).end(fate.body);
    const { method, headers } = near;
    const far = request(`${serverUrl}${near.url}`, { ...(method && { method }), headers, agent: false });
    far.on('error', () => near.socket.destroy());
    far.on('response', async (response) => {
      const text = await textOf(response);
      gate?.noticed();
      await gate?.opened;
      if (fate === 'lose') return void near.socket.destroy();
      answer.writeHead(response.statusCode ?? 0, response.headers).end(text);
    });
    far.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan(...next) {
      fates = next;
    },
    seen() {
      const all = seen;
      seen = [];
      return all;
    },
    hold() {
      let count = 0;
      let go = () => {};
      let waiting: { wanted: number; tell: () => void } | undefined;
      const opened = new Promise<void>((resolve) => {
        go = () => {
          gate = undefined;
          resolve();
        };
      });
      const noticed = () => {
        count += 1;
        if (waiting && count >= waiting.wanted) waiting.tell();
      };
      gate = { opened, noticed };
      const arrived = (wanted: number) =>
        count >= wanted ? Promise.resolve() : new Promise<void>((tell) => (waiting = { wanted, tell }));
      return { arrived, go };
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
