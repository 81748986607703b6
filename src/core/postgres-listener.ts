import { setTimeout as pause } from 'node:timers/promises';
import postgres from 'postgres';
import { answersWithin } from './database-guard.js';
import type { Logger } from './logger.js';
import { type Client, type ClientOptions, clientOptions, type PostgresTimings } from './postgres-lane.js';

interface Subscriber {
  readonly channel: string;
  readonly onPayload: (payload: string) => void;
  readonly onLive: (live: boolean) => void;
}

interface ListenerOptions {
  readonly timings: PostgresTimings;
  readonly log: Logger;
}

/**
 * Hears NOTIFY on one connection of its own, made on first use. The connection is asked for a sign of life twice a
 * second: on a connection that died without a word a listener would otherwise believe for minutes that nothing
 * happens, and what relies on it (a revoked session is refused within a second) would not hold.
 */
export class PostgresListener {
  readonly #url: string;
  readonly #options: ListenerOptions;
  readonly #subscribers = new Set<Subscriber>();
  readonly #live = new Set<Subscriber>();
  readonly #closing = new AbortController();
  #client: Client | undefined;
  #running: Promise<void> | undefined;
  #attempt: Promise<void> = Promise.resolve();

  constructor(url: string, options: ListenerOptions) {
    this.#url = url;
    this.#options = options;
  }

  /** Resolves when the channel is heard, or when that has failed for now and is being tried again. */
  async subscribe(subscriber: Subscriber): Promise<() => Promise<void>> {
    this.#subscribers.add(subscriber);
    if (this.#client) await this.#hear(this.#client, subscriber).catch(() => undefined);
    else {
      this.#running ??= this.#run();
      await this.#attempt;
    }
    return () => this.#unsubscribe(subscriber);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#listenWhileItLasts().catch((error: unknown) => {
        if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error }, 'lost the listening connection');
      });
      for (const subscriber of this.#live) subscriber.onLive(false);
      this.#live.clear();
      await pause(100 + Math.random() * 100, undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** One connection from its making to its end. It is never reconnected: a new one would not have subscribed. */
  async #listenWhileItLasts(): Promise<void> {
    const closed = new AbortController();
    const ended = AbortSignal.any([closed.signal, this.#closing.signal]);
    const client = this.#connect(() => closed.abort());
    try {
      const attempt = this.#hearAll(client);
      this.#attempt = attempt.catch(() => undefined);
      await attempt;
      this.#client = client;
      const { heartbeat } = this.#options.timings;
      while (!ended.aborted) {
        if (!(await answersWithin(2 * heartbeat, () => client.unsafe('select 1')))) throw new Error('no sign of life');
        await pause(heartbeat, undefined, { signal: ended, ref: false });
      }
    } finally {
      this.#client = undefined;
      await client.end({ timeout: 0 });
    }
  }

  #connect(onclose: () => void): Client {
    const options: ClientOptions = {
      ...clientOptions(this.#options.timings),
      max: 1,
      max_lifetime: null,
      onclose,
      onnotify: (channel, payload) => this.#deliver(channel, payload),
    };
    return postgres(this.#url, options);
  }

  async #hearAll(client: Client): Promise<void> {
    for (const subscriber of this.#subscribers) await this.#hear(client, subscriber);
  }

  async #hear(client: Client, subscriber: Subscriber): Promise<void> {
    await client.unsafe(`listen "${subscriber.channel}"`);
    if (!this.#subscribers.has(subscriber)) return;
    this.#live.add(subscriber);
    subscriber.onLive(true);
  }

  #deliver(channel: string, payload: string): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.channel === channel) subscriber.onPayload(payload);
    }
  }

  async #unsubscribe(subscriber: Subscriber): Promise<void> {
    this.#subscribers.delete(subscriber);
    this.#live.delete(subscriber);
    const shared = [...this.#subscribers].some(({ channel }) => channel === subscriber.channel);
    if (!shared) await this.#client?.unsafe(`unlisten "${subscriber.channel}"`).catch(() => undefined);
  }
}
