import type { Actor, App } from '../../core/context.js';
import { AppError } from '../../core/errors.js';
import { limitKey } from '../../core/limiter.js';
import { networkKey } from '../../core/network.js';

const HOUR = 3_600;
const PER_PERSON_HOUR = 5;
const PER_NETWORK_DAY = 20;

/**
 * Whoever tries stolen cards needs many checkouts and setup intents (S15): a person gets five an hour, whoever asks for
 * them, and a network twenty a day.
 *
 * @throws RATE_LIMITED
 */
export async function takePurchase(app: App, { userId, actor }: { userId: string; actor: Actor }): Promise<void> {
  await take(app, ['purchase', userId], { max: PER_PERSON_HOUR, windowSeconds: HOUR });
  // A service calls from its own address, for everybody.
  if (actor.kind === 'USER' && actor.ip !== null)
    await take(app, ['purchases', networkKey(actor.ip)], { max: PER_NETWORK_DAY, windowSeconds: 24 * HOUR });
}

async function take(app: App, key: string[], { max, windowSeconds }: { max: number; windowSeconds: number }) {
  const { used, resetsInSeconds } = await app.limiter.take(limitKey(key), { max, windowSeconds, sensitive: true });
  if (used <= max) return;
  app.metrics.limiterRefusals.add('throttle');
  throw new AppError('RATE_LIMITED', { retryAfterSeconds: resetsInSeconds });
}
