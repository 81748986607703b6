import { afterEach, expect, it } from 'vitest';
import { createPlace, startCredence } from '../support/process.js';

let place: Awaited<ReturnType<typeof createPlace>> | undefined;
afterEach(() => place?.dispose());

const shown = (output: string, name: string) => new RegExp(`${name} +(\\S+)`).exec(output)?.[1];

it('lets eight processes start at once on one PostgreSQL', async () => {
  place = await createPlace();
  const { env } = place;
  const servers = await Promise.all(Array.from({ length: 8 }, () => startCredence(env)));
  const keys = servers.map((server) => shown(server.output(), 'Service key')).filter(Boolean);
  expect(keys).toHaveLength(1);
  const passwords = servers.map((server) => shown(server.output(), 'Password')).filter(Boolean);
  expect(passwords).toHaveLength(1);
  const jwks = await Promise.all(
    servers.map(async (server) => (await fetch(`${server.url}/.well-known/jwks.json`)).json()),
  );
  for (const keySet of jwks) expect(keySet).toEqual(jwks[0]);
  for (const server of servers) expect(await server.end('SIGTERM')).toBe(0);
}, 600_000);
