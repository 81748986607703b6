import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';

export interface Received {
  path: string;
  headers: Record<string, string>;
  body: string;
}

export interface Receiver {
  url: string;
  port: number;
  /** All that came, oldest first. */
  received: Received[];
  /** What is answered from now on: a status, or what to do with the request. */
  answer: number | 'hang' | 'close' | ((request: Received) => { status: number; headers?: Record<string, string> });
  close(): Promise<void>;
}

/** Somebody who takes webhooks, on loopback. */
export async function createReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: '', port: 0, received: [], answer: 204, close: async () => undefined };
  const server = createServer(async (request, response) => {
    const seen = { path: request.url ?? '', headers: flat(request), body: await textOf(request) };
    receiver.received.push(seen);
    const { answer } = receiver;
    if (answer === 'hang') return;
    if (answer === 'close') return void request.socket.destroy();
    const { status, headers = {} } = typeof answer === 'number' ? { status: answer } : answer(seen);
    response.writeHead(status, headers).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  receiver.port = (server.address() as AddressInfo).port;
  receiver.url = `http://127.0.0.1:${receiver.port}/hook`;
  receiver.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return receiver;
}

/** As a receiver would check it; throws when the signature does not hold. */
export function verify(secret: string, { headers, body }: Received): { id: string; type: string; data: object } {
  return new Webhook(secret).verify(body, headers) as { id: string; type: string; data: object };
}

const flat = ({ headers }: IncomingMessage) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

export async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
