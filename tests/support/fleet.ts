import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { makeKey } from '../../src/core/secrets.js';
import { makeCertificate } from './certificate.js';
import { createPlace, type GraphqlAnswer, type ServerProcess, startCredence } from './process.js';
import { deployed, findProgram, freePort, isRoot, sharedDirectory, startProgram } from './programs.js';
import { type SmtpServer, startSmtpServer } from './smtp-server.js';

export interface Ask {
  query: string;
  variables?: object;
  headers?: Record<string, string>;
  /** The client's address: any of 127.0.0.0/8. */
  from?: string;
}

export type Ways = (asked: Ask) => Promise<GraphqlAnswer>;

export interface Nginx {
  /** One request through nginx; throws when it is not answered in GraphQL's way. */
  ask: Ways;
  close(): Promise<void>;
}

/** `deploy/nginx/credence.conf` before these ports, and nothing else changed. */
async function startNginx(ports: readonly number[]): Promise<Nginx> {
  const directory = await sharedDirectory();
  const port = await freePort();
  const { key, cert } = makeCertificate();
  const [keyFile, certFile, main] = ['tls.key', 'tls.crt', 'nginx.conf'].map((name) => join(directory, name));
  const servers = ports.map((at) => `server 127.0.0.1:${at} $2;`).join('\n    ');
  const site = await deployed('nginx/credence.conf', [
    [/server 10\.0\.0\.11:4000 ([^;]+);\s+server 10\.0\.0\.12:4000 ([^;]+);/, servers],
    [/listen 443 /, `listen 127.0.0.1:${port} `],
    [/ssl_certificate \S+;/, `ssl_certificate ${certFile};`],
    [/ssl_certificate_key \S+;/, `ssl_certificate_key ${keyFile};`],
  ]);
  const own = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${directory};`);
  await writeFile(join(directory, 'credence.conf'), site);
  await writeFile(keyFile ?? '', key);
  await writeFile(certFile ?? '', cert);
  await writeFile(
    main ?? '',
    `${isRoot ? 'user root;' : ''} daemon off; worker_processes 2; pid ${directory}/pid; error_log stderr error;
     events {} http { access_log off; ${own.join(' ')} include credence.conf; }`,
  );
  const args = ['-p', directory, '-e', 'stderr', '-c', main ?? ''];
  const program = await startProgram(findProgram('nginx') ?? '', { args, port });
  const agent = new Agent({ keepAlive: true, ca: cert });
  return {
    ask: ({ from, query, variables, headers }) =>
      new Promise((resolve, reject) => {
        const local = from === undefined ? {} : { localAddress: from };
        const asked = request(`https://127.0.0.1:${port}/graphql`, {
          method: 'POST',
          agent,
          headers: { 'content-type': 'application/json', ...headers },
          ...local,
        });
        asked.on('error', reject).on('response', (response) => {
          let text = '';
          response
            .setEncoding('utf8')
            .on('error', reject)
            .on('data', (chunk) => (text += chunk))
            .on('end', () => {
              if (!text.startsWith('{')) return reject(new Error(`nginx answered ${response.statusCode}: ${text}`));
              const { data, errors } = JSON.parse(text);
              resolve({ data, code: errors?.[0]?.extensions.code });
            });
        });
        asked.end(JSON.stringify({ query, variables }));
      }),
    async close() {
      agent.destroy();
      await program.end('SIGTERM');
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export interface Instance {
  readonly url: string;
  /** All that it has printed, before each restart and after. */
  output(): string;
  /** SIGTERM, and a new process in its place. Answers the exit code of the old one. */
  restart(): Promise<number | null>;
  end(): Promise<void>;
}

async function startInstance(env: Record<string, string>): Promise<Instance> {
  let running: ServerProcess = await startCredence(env);
  let before = '';
  return {
    url: running.url,
    output: () => before + running.output(),
    async restart() {
      // Its last lines are read after its end.
      const closed = once(running.child, 'close');
      const code = await running.end('SIGTERM');
      await closed;
      before += running.output();
      running = await startCredence(env);
      return code;
    },
    end: async () => void (await running.end('SIGKILL')),
  };
}

export interface Fleet {
  readonly nginx: Nginx;
  readonly instances: readonly Instance[];
  readonly smtp: SmtpServer;
  /** Of the server itself. */
  readonly databaseUrl: string;
  readonly serviceKey: string;
  readonly adminPassword: string;
  close(): Promise<void>;
}

/** As many instances as asked for, as in production, on one PostgreSQL database and one Redis, behind nginx. */
export async function createFleet(options: {
  instances: number;
  env: Record<string, string>;
  /** What leads to the database by another way. */
  reach?: (databaseUrl: string) => Promise<Record<string, string>>;
}): Promise<Fleet> {
  const { env: place, dispose } = await createPlace();
  const databaseUrl = place.DATABASE_URL ?? '';
  const [smtp, reached] = await Promise.all([startSmtpServer(), options.reach?.(databaseUrl)]);
  const [serviceKey, adminPassword] = [makeKey('svc'), 'gravel lantern 41 over the harbour'];
  const ports = await Promise.all(Array.from({ length: options.instances }, freePort));
  const env = {
    ...place,
    NODE_ENV: 'production',
    PUBLIC_URL: 'https://id.example.com',
    ENCRYPTION_KEY: '6bq0pXwWb2p3XoZ0kTgV3b0rJt9WmKq1sN8yLhCfUeA=',
    REDIS_URL: process.env.TEST_REDIS_URL ?? '',
    SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
    MAIL_FROM: 'Example <no-reply@example.com>',
    TRUST_PROXY: '127.0.0.1/32',
    ADMIN_PASSWORD: adminPassword,
    INTERNAL_SERVICE_KEY: serviceKey,
    ...reached,
    ...options.env,
  };
  const instances = await Promise.all(ports.map((port) => startInstance({ ...env, PORT: String(port) })));
  const nginx = await startNginx(ports);
  return {
    nginx,
    instances,
    smtp,
    databaseUrl,
    serviceKey,
    adminPassword,
    async close() {
      await nginx.close();
      await Promise.all(instances.map((instance) => instance.end()));
      await smtp.close();
      await dispose();
    },
  };
}
