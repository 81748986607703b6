import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../src/core/config.js';

interface S3rver {
  run(): Promise<AddressInfo>;
  httpServer: Server;
}
const require = createRequire(import.meta.url);
const S3rverClass = require('s3rver') as new (options: object) => S3rver;

/** The one account that s3rver knows. */
const SECRET = 'S3RVER';
const BUCKET = 'credence-test';
const CORS = `<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>`;

export interface S3Server {
  readonly url: string;
  /** What makes Credence keep its files here. */
  readonly config: Extract<Config['storage'], { kind: 's3' }>;
  /** `POST /bucket`, `PUT /bucket/u/…`: every request, in order. */
  readonly requests: string[];
  /** `refuse`: 503 to everything. `hang`: takes requests and never answers. `stall`: answers begin and never end. */
  mode: 'up' | 'refuse' | 'hang' | 'stall';
  /** Keys of what the bucket holds. */
  keys(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * s3rver, a server that speaks the protocol of S3, behind a door that does what s3rver leaves out: it takes a form only
 * if its policy allows it, as Amazon's "POST policy" page says (signature, expiry, every condition, no field besides).
 */
export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'credence-s3-'));
  const inner = new S3rverClass({
    port: 0,
    address: '127.0.0.1',
    silent: true,
    directory,
    configureBuckets: [{ name: BUCKET, configs: [CORS] }],
  });
  const { port } = await inner.run();
  const door = createServer((incoming, outgoing) => {
    server.requests.push(`${incoming.method} ${incoming.url?.split('?')[0]}`);
    if (server.mode === 'refuse') outgoing.writeHead(503).end();
    else if (server.mode === 'hang') incoming.resume();
    else if (incoming.method === 'POST' && !incoming.url?.includes('?'))
      takeForm(incoming, outgoing, port).catch(() => outgoing.destroy());
    else forward(incoming, outgoing, { port, stalls: server.mode === 'stall' });
  });
  door.listen(0, '127.0.0.1');
  await once(door, 'listening');
  const url = `http://127.0.0.1:${(door.address() as AddressInfo).port}`;
  const server: S3Server = {
    url,
    config: {
      kind: 's3',
      bucket: BUCKET,
      region: 'us-east-1',
      endpoint: url,
      credentials: { accessKeyId: 'S3RVER', secretAccessKey: SECRET },
    },
    requests: [],
    mode: 'up',
    async keys() {
      const names = await readdir(join(directory, BUCKET), { recursive: true });
      return names
        .filter((name) => name.endsWith('._S3rver_object'))
        .map((name) => name.replace('._S3rver_object', ''))
        .sort();
    },
    async close() {
      for (const http of [door, inner.httpServer]) {
        http.close();
        http.closeAllConnections();
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
  return server;
}

function forward(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { port, stalls }: { port: number; stalls: boolean },
) {
  const { method, url, headers } = incoming;
  const onward = request({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    if (stalls) {
      answer.once('data', (chunk: Buffer) => outgoing.write(chunk.subarray(0, 10))).on('error', () => undefined);
    } else answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}

async function takeForm(incoming: IncomingMessage, outgoing: ServerResponse, port: number): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  const headers = { 'content-type': incoming.headers['content-type'] ?? '' };
  const form = await new Response(body, { headers }).formData();
  const refusal = refusalOf(form, incoming.url ?? '');
  outgoing.setHeader('access-control-allow-origin', '*');
  if (refusal) {
    outgoing.writeHead(refusal.status).end(`<Error><Code>${refusal.code}</Code></Error>`);
    return;
  }
  const answer = await fetch(`http://127.0.0.1:${port}${incoming.url}`, { method: 'POST', headers, body });
  outgoing.writeHead(answer.status).end(await answer.text());
}

interface Policy {
  expiration: string;
  conditions: (Record<string, string> | [string, string, string] | [string, number, number])[];
}

const denied = { status: 403, code: 'AccessDenied' };

/** What S3 would answer instead of taking the form. */
function refusalOf(form: FormData, path: string): { status: number; code: string } | undefined {
  const fields = new Map([...form].map(([name, value]) => [name.toLowerCase(), value]));
  const text = (name: string) => String(fields.get(name) ?? '');
  const [, date = '', region = '', service = ''] = text('x-amz-credential').split('/');
  const key = [date, region, service, 'aws4_request'].reduce(
    (key, part) => createHmac('sha256', key).update(part).digest(),
    Buffer.from(`AWS4${SECRET}`),
  );
  const signature = createHmac('sha256', key).update(text('policy')).digest('hex');
  if (signature !== text('x-amz-signature')) return { status: 403, code: 'SignatureDoesNotMatch' };
  const policy = JSON.parse(Buffer.from(text('policy'), 'base64').toString()) as Policy;
  if (new Date(policy.expiration).getTime() <= Date.now()) return denied;

  const file = form.get('file');
  const size = file instanceof Blob ? file.size : 0;
  const allowed = new Map<string, (value: string) => boolean>([['bucket', () => true]]);
  for (const condition of policy.conditions) {
    const [kind, name, wanted] = Array.isArray(condition)
      ? condition
      : (['eq', `$${Object.keys(condition)[0]}`, Object.values(condition)[0] ?? ''] as const);
    if (kind === 'content-length-range') {
      if (size < Number(name)) return { status: 400, code: 'EntityTooSmall' };
      if (size > Number(wanted)) return { status: 400, code: 'EntityTooLarge' };
      continue;
    }
    const field = String(name).slice(1).toLowerCase();
    const fits = (value: string) => (kind === 'eq' ? value === wanted : value.startsWith(String(wanted)));
    if (!fits(field === 'bucket' ? (path.slice(1).split(/[/?]/)[0] ?? '') : text(field))) return denied;
    allowed.set(field, fits);
  }
  const free = ['policy', 'x-amz-signature', 'file'];
  const isExtra = (name: string) => !allowed.has(name) && !free.includes(name) && !name.startsWith('x-ignore-');
  return [...fields.keys()].some(isExtra) || form.getAll('file').length !== 1 ? denied : undefined;
}
