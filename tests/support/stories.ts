import type { Stripe } from 'stripe';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catchUpOnStripeEvents } from '../../src/modules/payments/stripe-events.service.js';
import { type Buyer, type EndState, openShop, type Shop } from './shop.js';

export const DAY = 86_400_000;
/** Hundreds of stories on a machine that may be busy. */
const LONG = 1_200_000;

export interface Story {
  /** Happens and is heard of before the story begins. */
  before?(buyer: Buyer, shop: Shop): Promise<void>;
  tell(buyer: Buyer, shop: Shop): Promise<void> | void;
  /** The kinds of events of the story that are delivered: five events at most. Kinds that say the same again are left out. */
  events: string[];
  /** Plans by their name in the shop. */
  end: EndState | ((buyer: Buyer) => EndState);
}

/** How things stand after a pack was bought, or a subscription. */
export const PACK = { movements: ['PURCHASE 500'], balance: 500, plan: 'free', subscription: null };
export const BASIC = { movements: ['PLAN_GRANT 100'], balance: 100, plan: 'basic', subscription: 'ACTIVE' };

/**
 * What Stripe tells of one story arrives in any order, more than once, late, or not at all. Whatever arrives, the story
 * ends the same: in the books here as at Stripe, and everything that was paid for is credited once.
 */
export function tellStories(stories: Record<string, Story>): void {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
  });
  afterAll(() => shop.h.close());

  /** A new person lives through it; answers the events, undelivered. */
  async function live({ before, tell, events }: Story): Promise<{ buyer: Buyer; told: Stripe.Event[] }> {
    const { webhooks } = shop.h.fake;
    shop.forgetAll();
    const buyer = await shop.buyer();
    await before?.(buyer, shop);
    await webhooks.settled();
    webhooks.hold();
    await tell(buyer, shop);
    const told = webhooks.takeHeld().filter(({ type }) => events.includes(type));
    await webhooks.release();
    expect(new Set(told.map(({ type }) => type)), 'every kind of event that is named').toEqual(new Set(events));
    expect(told.length).toBeLessThanOrEqual(5);
    return { buyer, told };
  }

  async function deliver(told: readonly Stripe.Event[]): Promise<void> {
    for (const event of told) expect(await shop.h.fake.webhooks.deliver(event), event.type).toBe(200);
  }

  async function expectEnd({ end }: Story, buyer: Buyer): Promise<void> {
    const { plan, ...wanted } = typeof end === 'function' ? end(buyer) : end;
    const planCode = plan === 'basic' || plan === 'pro' ? shop.plans[plan] : plan;
    expect(await buyer.state()).toEqual({ ...wanted, plan: planCode });
  }

  describe.each(Object.entries(stories))('%s', (_, story) => {
    it('ends the same in every order', { timeout: LONG }, async () => {
      const { told: first } = await live(story);
      for (const places of ordersToTry(first.length)) {
        const { buyer, told } = await live(story);
        await deliver(places.flatMap((place) => told[place] ?? []));
        await expectEnd(story, buyer);
      }
    });

    it('ends the same when everything comes twice, one after the other', { timeout: LONG }, async () => {
      const { buyer, told } = await live(story);
      await deliver([...told, ...told.toReversed()]);
      await expectEnd(story, buyer);
    });

    it('ends the same when everything comes twice at once', { timeout: LONG }, async () => {
      const { buyer, told } = await live(story);
      await Promise.all([...told, ...told].map((event) => deliver([event])));
      await expectEnd(story, buyer);
    });

    it('ends the same when everything comes three days late', { timeout: LONG }, async () => {
      const { buyer, told } = await live(story);
      shop.advance(3 * DAY);
      await deliver(told.toReversed());
      await expectEnd(story, buyer);
    });

    it('ends the same when one is lost', { timeout: LONG }, async () => {
      const { told: first } = await live(story);
      for (const lost of first.keys()) {
        const { buyer, told } = await live(story);
        await deliver(told.toSpliced(lost, 1));
        // Either the others brought it, or the books are known to differ.
        if ((await buyer.differences()).length === 0) await expectEnd(story, buyer);
        await catchUpOnStripeEvents(shop.h.app);
        expect(await buyer.differences()).toEqual([]);
        await expectEnd(story, buyer);
        await deliver(told.slice(lost, lost + 1));
        await expectEnd(story, buyer);
      }
    });
  });

  it('leaves the books in order', async () => {
    const { token } = await shop.h.admin(['billing:read']);
    const { data } = await shop.h.graphql('{ ledgerHealth { ok } }', { token });
    expect(data.ledgerHealth.ok).toBe(true);
  });
}

/** Every order on a server; of the 120 that five events have, the embedded database sees every fifth. */
function ordersToTry(count: number): number[][] {
  const all = orders(Array.from({ length: count }, (_, place) => place));
  return process.env.TEST_DATABASE_URL || count < 5 ? all : all.filter((_, index) => index % 5 === 0);
}

function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));
}
