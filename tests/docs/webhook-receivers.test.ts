import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { expect, it } from 'vitest';
import { withTag } from './blocks.js';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const body = JSON.stringify({ type: 'credits.low', data: { userId: '01890000-0000-7000-8000-000000000000' } });
const hasPython = spawnSync('python3', ['--version']).status === 0;

/** As Credence sends it; `at` is the time of the attempt. */
function sign(options: { at?: Date; secret?: string } = {}): Record<string, string> {
  const at = options.at ?? new Date();
  return {
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(options.secret ?? SECRET).sign('msg_1', at, body),
  };
}

const ours = sign();
const otherSecret = sign({ secret: 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' });
const late = sign({ at: new Date(Date.now() - 3_600_000) });
const rotated = { ...ours, 'webhook-signature': `${otherSecret['webhook-signature']} ${ours['webhook-signature']}` };
const DELIVERIES = { ours, rotated, otherSecret, late };

const blockWith = (tag: string, words: string): string => {
  const block = withTag(tag).find(({ text }) => text.includes(words));
  if (!block) throw new Error(`no ${tag} block with ${words}`);
  return block.text;
};

it('the receiver in JavaScript takes what we sign, and nothing else', async () => {
  const script = blockWith('js', "app.post('/hooks'").replace(
    'app.listen(3000);',
    'const server = app.listen(0, "127.0.0.1", () => console.log("port " + server.address().port));',
  );
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    cwd: resolve(import.meta.dirname, '../..'),
    env: { ...process.env, WEBHOOK_SECRET: SECRET },
  });
  try {
    const port = /port (\d+)/.exec(String((await once(child.stdout, 'data'))[0]))?.[1];
    const statuses: Record<string, number> = {};
    for (const [name, headers] of Object.entries(DELIVERIES)) {
      const init = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
      statuses[name] = (await fetch(`http://127.0.0.1:${port}/hooks`, init)).status;
    }
    expect(statuses).toEqual({ ours: 204, rotated: 204, otherSecret: 400, late: 400 });
  } finally {
    child.kill();
  }
});

it.skipIf(!hasPython)('the receiver in Python takes what we sign, and nothing else', () => {
  const script = `${blockWith('python', 'def verify(')}
import sys
for name, headers in json.loads(sys.argv[2]).items():
    try:
        print(name, verify(sys.argv[1], headers, sys.argv[3].encode())["type"])
    except ValueError as problem:
        print(name, problem)
`;
  const { stdout, stderr } = spawnSync('python3', ['-c', script, SECRET, JSON.stringify(DELIVERIES), body], {
    encoding: 'utf8',
  });
  expect([stdout.trim().split('\n'), stderr]).toEqual([
    ['ours credits.low', 'rotated credits.low', 'otherSecret not from us', 'late too old, or from the future'],
    '',
  ]);
});
