import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A bare node:http server: the whole body read and parsed, one JSON answer with its length. */
export function listen(handle: (body: Body, request: IncomingMessage) => unknown): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      try {
        const body = JSON.parse(Buffer.concat(chunks).toString()) as Body;
        answer(response, 200, await handle(body, request));
      } catch (error) {
        answer(response, 500, { errors: [{ message: String(error) }] });
      }
    });
  });
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}\n`);
  });
  process.on('SIGTERM', () => process.exit(0));
}

export interface Body {
  readonly query: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a client sent; these programs trust it, which is their head start.
  readonly variables: any;
}

function answer(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}
