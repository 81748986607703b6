import { type CredenceClient, type CredenceClientOptions, createCredenceClient } from '../../src/client/client.js';
import { type ConfigChanges, createHarness, type Harness } from '../support/harness.js';
import { createFaultyProxy, type FaultyProxy } from './faulty-proxy.js';

/** A real Credence that listens, a service's key, and a network that fails on demand between it and the clients. */
export interface ClientWorld {
  h: Harness;
  proxy: FaultyProxy;
  serviceKey: string;
  /** A client that goes through the proxy. */
  client(options?: Partial<CredenceClientOptions>): CredenceClient;
  close(): Promise<void>;
}

export async function createClientWorld(options: { scopes: string[]; config?: ConfigChanges }): Promise<ClientWorld> {
  const h = await createHarness(options.config ? { config: options.config } : {});
  const url = await h.fastify.listen({ port: 0, host: '127.0.0.1' });
  const proxy = await createFaultyProxy(url);
  const { key: serviceKey } = await h.service(options.scopes);
  const clients: CredenceClient[] = [];
  return {
    h,
    proxy,
    serviceKey,
    client(given) {
      const made = createCredenceClient({ url: proxy.url, serviceKey, ...given });
      clients.push(made);
      return made;
    },
    async close() {
      for (const made of clients) made.close();
      await proxy.close();
      await h.close();
    },
  };
}
