import { type CredenceClient, type CredenceClientOptions, createCredenceClient } from '../../src/client/client.js';
import { type ConfigChanges, createHarness, type Harness } from '../support/harness.js';
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';

/** A real Credence that listens, a service's key, and a network that fails on demand between it and the clients. */
export interface ClientWorld {
  h: Harness;
  url: string;
  proxy: TcpProxy;
  serviceKey: string;
  /** How many requests have come to `/graphql` since the last question. */
  requests(): number;
  /** A client that goes through the proxy. */
  client(options?: Partial<CredenceClientOptions>): CredenceClient;
  close(): Promise<void>;
}

export async function createClientWorld(options: { scopes: string[]; config?: ConfigChanges }): Promise<ClientWorld> {
  const h = await createHarness(options.config ? { config: options.config } : {});
  let count = 0;
  h.fastify.server.on('request', ({ url }) => {
    if (url === '/graphql') count += 1;
  });
  const url = await h.fastify.listen({ port: 0, host: '127.0.0.1' });
  const proxy = await createTcpProxy(url);
  const { key: serviceKey } = await h.service(options.scopes);
  const clients: CredenceClient[] = [];
  return {
    h,
    url,
    proxy,
    serviceKey,
    requests() {
      const since = count;
      count = 0;
      return since;
    },
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
