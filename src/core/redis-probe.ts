import { Redis } from 'ioredis';

export interface RedisFacts {
  version: string;
  /** What becomes of keys when the memory is full. */
  evictionPolicy: string;
  /** 0: as much as the machine has. */
  maxMemoryBytes: number;
}

/** Asks a Redis server what it is, on a connection of its own and without patience. @throws Error with its `code` */
export async function probeRedis(url: string, timeoutMs: number): Promise<RedisFacts> {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  // With `lazyConnect` the reason of a failure comes by this event alone.
  let reason: unknown;
  client.on('error', (error) => {
    reason ??= error;
  });
  try {
    await client.connect();
    const text = await client.info();
    const read = (name: string) => new RegExp(`^${name}:(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
    return {
      version: read('redis_version'),
      evictionPolicy: read('maxmemory_policy'),
      maxMemoryBytes: Number(read('maxmemory')),
    };
  } catch (error) {
    throw reason ?? error;
  } finally {
    client.disconnect();
  }
}
