import { compare } from '../compare.ts';
import { type Server, startServer } from '../processes.ts';
import { atLeast, figures, type Result, type Row, type Target } from './row.ts';
import { rotating, tokenRequests } from './tokens.ts';

interface Peer {
  readonly script: string;
  readonly baseline: string;
  readonly firstLanding: Target;
  readonly goal: Target;
  /** From what it printed: whose session it is to look for. */
  request(sentWith: string): Buffer;
}

function http(start: string, headers: Record<string, string>, body = ''): Buffer {
  const all = { host: 'bench', ...headers, 'content-length': String(Buffer.byteLength(body)) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${start} HTTP/1.1\r\n${lines.join('')}\r\n${body}`);
}

const PEERS: readonly Peer[] = [
  {
    script: 'bench/baselines/better-auth.ts',
    baseline: 'better-auth get-session, cookie cache',
    firstLanding: atLeast(5),
    goal: atLeast(23),
    request: (cookie) => http('GET /api/auth/get-session', { cookie }),
  },
  {
    script: 'bench/baselines/introspection.ts',
    baseline: 'oidc-provider introspection, in memory',
    firstLanding: atLeast(1),
    goal: atLeast(5.3),
    request(sentWith) {
      const { authorization, token } = JSON.parse(sentWith) as { authorization: string; token: string };
      const type = 'application/x-www-form-urlencoded';
      return http('POST /token/introspection', { authorization, 'content-type': type }, `token=${token}`);
    },
  },
];

const sentWith = (server: Server) => /^sent with (.*)$/m.exec(server.printed)?.[1] ?? '';

export const peers: Row = {
  name: 'peers',
  async run({ effort, world: make }) {
    const world = await make();
    const ours = await startServer('Credence', { script: 'dist/main.js', env: world.env });
    const results: Result[] = [];
    try {
      const script = rotating(tokenRequests(world, '/graphql'), effort.connections);
      for (const { script: file, baseline, request, ...targets } of PEERS) {
        const theirs = await startServer(baseline, { script: file, env: { NODE_ENV: 'production' } });
        try {
          const theirRequest = request(sentWith(theirs));
          const them = { server: theirs, script: () => ({ next: () => theirRequest }) };
          const measured = await compare({ server: ours, script }, them, effort);
          const { ratio, cpuRatio } = measured;
          results.push({ row: '`validateToken`', baseline, ratio, cpuRatio, ...targets, note: figures(measured) });
        } finally {
          await theirs.stop();
        }
      }
      return results;
    } finally {
      await ours.stop();
    }
  },
};
