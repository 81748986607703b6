import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, type PreviewServer, preview } from 'vite';
import { vi } from 'vitest';
import { createHarness, type Harness } from './harness.js';

const CONFIG_FILE = resolve(import.meta.dirname, '../../examples/spa/vite.config.ts');

/** A port that was free a moment ago: each of the two servers has to know where the other is. */
async function findPort(): Promise<number> {
  const server = createServer().listen(0, 'localhost');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

export interface Spa {
  /** Where a browser finds the app, and Credence behind the same origin. */
  url: string;
  harness: Harness;
  close(): Promise<void>;
}

/** examples/spa, built as for production and served with its headers, before a Credence in cookie mode. */
export async function startSpa(): Promise<Spa> {
  const outDir = await mkdtemp(join(tmpdir(), 'credence-spa-'));
  const port = await findPort();
  const url = `http://localhost:${port}`;
  const harness = await createHarness({ config: { tokens: { refreshCookie: true }, server: { frontendUrl: url } } });
  const api = await harness.fastify.listen({ host: '127.0.0.1', port: 0 });
  const shared = { configFile: CONFIG_FILE, logLevel: 'warn', build: { outDir, emptyOutDir: true } } as const;
  // Without it React would be built with all its warnings.
  vi.stubEnv('NODE_ENV', 'production');
  await build(shared);
  vi.unstubAllEnvs();
  const server: PreviewServer = await preview({ ...shared, preview: { port, proxy: { '/graphql': api } } });
  return {
    url,
    harness,
    async close() {
      await server.close();
      await harness.close();
      await rm(outDir, { recursive: true, force: true });
    },
  };
}
