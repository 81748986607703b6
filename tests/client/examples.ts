// The example services as processes of their own, all spoken to in the same way.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** OK, or the code with which the service refused. */
export interface Outcome {
  code: string;
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests walk answers freely.
  data: any;
}

export interface ExampleApp {
  name: string;
  url: string;
  /** All it has printed so far. */
  output(): string;
  hello(token?: string): Promise<Outcome>;
  me(token?: string): Promise<Outcome>;
  chat(token?: string): Promise<Outcome>;
  stop(): Promise<void>;
}

const bearer = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });
const JSON_BODY = { 'content-type': 'application/json' };

async function outcomeOf(response: Response): Promise<Outcome> {
  // biome-ignore lint/suspicious/noExplicitAny: tests walk answers freely.
  const body = (await response.json()) as any;
  const error = body.error ?? body.errors?.[0]?.extensions;
  const { status, headers } = response;
  return { code: error?.code ?? 'OK', status, headers, data: body.data ?? body };
}

function overHttp(url: string): Pick<ExampleApp, 'hello' | 'me' | 'chat'> {
  const get = async (path: string, token?: string) => outcomeOf(await fetch(url + path, { headers: bearer(token) }));
  return {
    hello: (token) => get('/hello', token),
    me: (token) => get('/me', token),
    chat: async (token) =>
      outcomeOf(
        await fetch(`${url}/chat`, {
          method: 'POST',
          headers: { ...JSON_BODY, ...bearer(token) },
          body: JSON.stringify({ text: 'hi' }),
        }),
      ),
  };
}

/** With the one answer of the operation brought to the form that the others have. */
function overGraphql(url: string): Pick<ExampleApp, 'hello' | 'me' | 'chat'> {
  const ask = async (query: string, options: { token: string | undefined; field: string | undefined }) => {
    const { token, field } = options;
    const headers = { ...JSON_BODY, ...bearer(token) };
    const outcome = await outcomeOf(await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) }));
    return field && outcome.code === 'OK' ? { ...outcome, data: outcome.data[field] } : outcome;
  };
  return {
    hello: (token) => ask('{ hello }', { token, field: undefined }),
    me: (token) => ask('{ me { id username kind } }', { token, field: 'me' }),
    chat: (token) => ask('mutation { chat(text: "hi") { reply creditsLeft } }', { token, field: 'chat' }),
  };
}

/** Starts `node examples/<name>/server.ts` and waits until it says where it listens. */
export async function startExample(name: string, env: Record<string, string>): Promise<ExampleApp> {
  const child = spawn(process.execPath, [`examples/${name}/server.ts`], {
    cwd: root,
    env: { PATH: process.env.PATH ?? '', PORT: '0', ...env },
  });
  let output = '';
  const url = await new Promise<string>((found, failed) => {
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
        const listening = /listens on (http:\/\/[^\s/]+)/.exec(output)?.[1];
        if (listening) found(listening);
      });
    child.once('exit', (code) => failed(new Error(`${name} ended with ${code}:\n${output}`)));
  });
  return {
    name,
    url,
    output: () => output,
    ...(name === 'apollo' ? overGraphql(url) : overHttp(url)),
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}
