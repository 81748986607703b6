import { makeKey } from '../../src/core/secrets.js';
import { createDice } from './dice.js';
import { expectInvariants, type Place } from './invariants.js';
import { type Load, nothingSeen, type Seen, startLoad } from './load.js';
import { ask, createPlace, type GraphqlAnswer, type ServerProcess, startCredence } from './process.js';

/** A whole server to which things happen. */
export interface FaultPlace {
  readonly env: Record<string, string>;
  readonly serviceKey: string;
  /** The process that runs now. */
  server(): ServerProcess;
  /** Another one in its place, on the same data. */
  restart(): Promise<ServerProcess>;
  /** Clients at work, on whichever process runs. */
  load(stem: string, clients?: number): Promise<Load>;
  /** One request, as a service. */
  asService(query: string, variables?: object): Promise<GraphqlAnswer>;
  /** Of a probe: 200 or 503, or 0 when nobody answers. */
  probe(name: 'live' | 'ready'): Promise<number>;
  /** All that clients were told here so far. */
  readonly seen: Seen;
  expectInvariants(): Promise<void>;
  dispose(): Promise<void>;
}

export const ADD_CREDITS = `mutation($input: AddCreditsInput!) { addCredits(input: $input) { transaction { id } replayed } }`;

export async function createFaultPlace(
  options: { serverUrl?: string; env?: Record<string, string> } = {},
): Promise<FaultPlace> {
  const serviceKey = makeKey('svc');
  const place = await createPlace(options.serverUrl === undefined ? {} : { serverUrl: options.serverUrl });
  const env = Object.assign(place.env, {
    INTERNAL_SERVICE_KEY: serviceKey,
    ADMIN_PASSWORD: 'a lantern over 9 quiet rivers',
    // Clients come from addresses of their own, and their tokens outlive the fault.
    TRUST_PROXY: '127.0.0.0/8',
    ACCESS_TOKEN_TTL: '3600',
    ...options.env,
  });
  const seen = nothingSeen();
  let running = await startCredence(env);
  const current = {
    get url() {
      return running.url;
    },
  };
  const database = (): Place['database'] =>
    env.DATABASE_URL
      ? { kind: 'postgres', url: env.DATABASE_URL, connections: 4 }
      : { kind: 'pglite', directory: `${place.dataDir}/database` };
  return {
    env,
    serviceKey,
    server: () => running,
    async restart() {
      running = await startCredence(env);
      return running;
    },
    load: (stem, clients = 4) => startLoad(current, { dice: createDice, serviceKey, clients, stem, seen }),
    asService: (query, variables = {}) => ask(running.url, { query, variables, headers: { 'x-api-key': serviceKey } }),
    async probe(name) {
      try {
        return (await fetch(`${running.url}/health/${name}`)).status;
      } catch {
        return 0;
      }
    },
    seen,
    expectInvariants: () => expectInvariants({ database: database(), seen, serviceKey, server: running }),
    async dispose() {
      await running.end('SIGKILL');
      await place.dispose();
    },
  };
}
