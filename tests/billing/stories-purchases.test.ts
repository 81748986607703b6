import { completeSession, settleDelayed } from '../support/fake-stripe/checkout.ts';
import { endSubscription } from '../support/fake-stripe/subscriptions.ts';
import type { Buyer, Shop } from '../support/shop.js';
import { BASIC, PACK, tellStories } from '../support/stories.js';

async function buyByBank(buyer: Buyer, { h, prices }: Shop): Promise<string> {
  const id = await buyer.checkout(prices.pack);
  completeSession(h.fake.store, id, { delayed: true });
  return id;
}

const BOUGHT = ['customer.subscription.created', 'invoice.paid', 'checkout.session.completed'];

tellStories({
  'a pack is bought': { tell: (buyer) => buyer.buyPack(), events: ['checkout.session.completed'], end: PACK },

  'a pack is paid for by a bank, in the end': {
    tell: async (buyer, shop) => void settleDelayed(shop.h.fake.store, await buyByBank(buyer, shop), true),
    events: ['checkout.session.completed', 'checkout.session.async_payment_succeeded'],
    end: PACK,
  },

  'a pack is not paid for by a bank, in the end': {
    tell: async (buyer, shop) => void settleDelayed(shop.h.fake.store, await buyByBank(buyer, shop), false),
    events: ['checkout.session.completed', 'checkout.session.async_payment_failed'],
    end: { ...PACK, movements: [], balance: 0 },
  },

  'a subscription is bought': {
    tell: (buyer) => buyer.subscribe(),
    events: [...BOUGHT, 'invoice.finalized', 'customer.subscription.updated'],
    end: BASIC,
  },

  'a subscription is begun in the app, and paid in the browser': {
    tell: (buyer) => buyer.subscribeInApp(),
    events: ['customer.subscription.created', 'customer.subscription.updated', 'invoice.finalized', 'invoice.paid'],
    end: BASIC,
  },

  'a subscription is bought and deleted at once': {
    async tell(buyer, { h }) {
      await buyer.subscribe();
      endSubscription(h.fake.store, buyer.subscription());
    },
    events: [...BOUGHT, 'customer.subscription.updated', 'customer.subscription.deleted'],
    end: { ...BASIC, plan: 'free', subscription: 'CANCELED' },
  },
});
