import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ask, createPlace, type ServerProcess, startCredence } from '../support/process.js';
import { type Block, placeOf, readBlocks } from './blocks.js';
import { NOT_RUN } from './not-run.js';
import { commandsOf, settingsOf } from './shell.js';

const root = resolve(import.meta.dirname, '../..');
const PASSWORD = 'violet tractor sings 77 at dusk';
const hasPython = spawnSync('python3', ['--version']).status === 0;

let place: Awaited<ReturnType<typeof createPlace>>;
let server: ServerProcess;
/** What a reader has at hand when they come to a command. */
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  place = await createPlace();
  server = await startCredence({ ...place.env, ADMIN_PASSWORD: PASSWORD });
  const bin = join(place.dataDir, 'bin');
  await mkdir(bin);
  // `credence` as it is after an installation of the package.
  for (const [name, line] of Object.entries({
    credence: `exec '${process.execPath}' '${root}/dist/main.js' "$@"`,
    npx: 'exec "$@"',
  })) {
    await writeFile(join(bin, name), `#!/bin/sh\n${line}\n`);
    await chmod(join(bin, name), 0o755);
  }
  env = { PATH: `${bin}:${process.env.PATH}`, HOME: place.dataDir, ...place.env, ...(await credentials()) };
});
afterAll(async () => {
  await server.end('SIGTERM');
  await place.dispose();
});

/** A person who has proven their address, the first admin, and the service key of the first start. */
async function credentials(): Promise<Record<string, string>> {
  const input = { username: 'reader', email: 'reader@example.com', password: PASSWORD };
  const { data } = await ask(server.url, {
    query: 'mutation($input: RegisterInput!) { register(input: $input) { accessToken refreshToken user { id } } }',
    variables: { input },
  });
  const token = await vi.waitFor(async () => {
    const letters = (await (await fetch(`${server.url}/dev/mailbox.json`)).json()) as { links: string[] }[];
    const link = letters.flatMap(({ links }) => links).find((address) => address.includes('/verify-email'));
    return new URL(link ?? '').searchParams.get('token');
  }, 20_000);
  await ask(server.url, {
    query: 'mutation($token: String!) { verifyEmail(token: $token) { user { id } } }',
    variables: { token },
  });
  const admin = await ask(server.url, {
    query: `mutation($input: AdminLoginInput!) { adminLogin(input: $input) { ... on AdminAuthPayload { accessToken } } }`,
    variables: { input: { identifier: 'admin', password: PASSWORD } },
  });
  return {
    CREDENCE_URL: server.url,
    ACCESS_TOKEN: data.register.accessToken,
    REFRESH_TOKEN: data.register.refreshToken,
    USER_ID: data.register.user.id,
    ADMIN_TOKEN: admin.data.adminLogin.accessToken,
    SERVICE_KEY: /crd_svc_\w+/.exec(server.output())?.[0] ?? '',
  };
}

/** The addresses of the docs lead to the server of this test, and the program is called as it is when it is installed. */
function adapt(text: string): string {
  return text
    .replaceAll(/https?:\/\/(127\.0\.0\.1:4000|localhost:4000|id\.example\.com)/g, server.url)
    .replaceAll(/\bnode (--[\w=-]+ )*dist\/main\.js/g, 'credence')
    .replaceAll('crd_svc_…', env.SERVICE_KEY ?? '');
}

const isListed = (command: string) => NOT_RUN.some(({ starts }) => command.startsWith(starts));

/** Blocks whose every command can be run. Those of one page run in order and share variables and files. */
const scripts = Map.groupBy(
  readBlocks().filter(
    ({ tag, text }) =>
      (tag === 'python' && hasPython) || (tag === 'sh' && !settingsOf(text) && !commandsOf(text).some(isListed)),
  ),
  ({ file, tag }) => `${tag} of ${file}`,
);

/** An answer that refuses, and a query that does not fit, end the script like any failed command. */
const PRELUDE = `set -euo pipefail
curl() { command curl --fail-with-body --silent --show-error "$@"; }
`;

/** What the blocks print, with a line before each that says where it stands. @throws Error when one of them fails. */
async function run(blocks: Block[]): Promise<string> {
  const isShell = blocks[0]?.tag === 'sh';
  const marked = blocks.map((block) =>
    isShell ? `echo '== ${placeOf(block)}'\n${block.text}` : `print('== ${placeOf(block)}')\n${block.text}`,
  );
  const script = adapt(marked.join('\n'));
  const [program, args] = isShell ? ['bash', ['-c', PRELUDE + script]] : ['python3', ['-c', script]];
  try {
    const { stdout } = await promisify(execFile)(program as string, args as string[], {
      cwd: place.dataDir,
      env,
      timeout: 60_000,
    });
    return stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(
      `${error instanceof Error ? error.message.split('\n')[0]?.slice(0, 40) : error}\n${stdout}\n${stderr}`,
    );
  }
}

describe('what the docs tell readers to run', () => {
  it.each([...scripts])(
    'works: %s',
    async (_, blocks) => {
      const output = await run(blocks);
      expect(output).not.toMatch(/GRAPHQL_VALIDATION_FAILED|INTERNAL_SERVER_ERROR/);
      for (const block of blocks) expect(output).toContain(placeOf(block));
    },
    120_000,
  );

  it('is noticed when it fails, and so is an answer that refuses', async () => {
    const block = (text: string): Block => ({ file: 'docs/X.md', line: 7, tag: 'sh', text });
    await expect(run([block('false')])).rejects.toThrow('docs/X.md:7');
    await expect(run([block('curl http://127.0.0.1:4000/nowhere | cat')])).rejects.toThrow('NOT_FOUND');
  });
});

/** Every option and subcommand that the docs write down, asked of the program's own help. */
describe('the command line of the docs', () => {
  const calls = readBlocks()
    .filter(({ tag }) => tag === 'sh')
    .flatMap((block) => commandsOf(block.text).map((command) => ({ block, command })))
    .map(({ block, command }) => ({
      block,
      call: /^(?:npx )?(?:credence|node (?:--[\w=-]+ )*dist\/main\.js)\b(.*)/s.exec(command)?.[1],
    }))
    .filter((entry): entry is { block: Block; call: string } => entry.call !== undefined);

  it('is that of the program', async () => {
    const wrong: string[] = [];
    for (const { block, call } of calls) {
      const words = call.trim().split(/\s+/);
      const names = words
        .slice(0, words.findIndex((word) => !/^[a-z-]+$/.test(word)) >>> 0)
        .filter((word) => !word.startsWith('-'));
      const help = spawnSync(join(place.dataDir, 'bin/credence'), [...names.slice(0, 2), '--help'], {
        env,
        encoding: 'utf8',
      });
      const usage = /^Usage: credence(.*)/m.exec(help.stdout)?.[1]?.trim() ?? '';
      const path = usage.split(' [')[0] ?? '';
      if (names[0] !== undefined && (path === '' || !names.join(' ').startsWith(path)))
        wrong.push(`${placeOf(block)}: credence ${names.join(' ')}`);
      if (/\[command\]/.test(usage) && names.length > path.split(' ').length)
        wrong.push(`${placeOf(block)}: ${path} has no ${names[1]}`);
      for (const option of call.match(/(?<=\s)--[a-z-]+/g) ?? [])
        if (!help.stdout.includes(option)) wrong.push(`${placeOf(block)}: credence ${path} has no ${option}`);
    }
    expect(wrong).toEqual([]);
  }, 120_000);
});
