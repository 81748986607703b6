import { BASIC, DAY, tellStories } from '../support/stories.js';

const RENEWED = { ...BASIC, movements: ['PLAN_GRANT 100', 'PLAN_GRANT 100'], balance: 200 };

tellStories({
  'a subscription renews': {
    before: (buyer) => buyer.subscribe(),
    tell: (_, shop) => shop.advance(31 * DAY),
    events: ['invoice.finalized', 'customer.subscription.updated', 'invoice.paid', 'invoice.payment_succeeded'],
    end: RENEWED,
  },

  'a payment fails, and the next attempt does not': {
    before: (buyer) => buyer.subscribe(),
    tell(buyer, shop) {
      buyer.decline('insufficient_funds');
      // Months differ, and the next attempt is three days away.
      shop.advance(buyer.untilRenewal() + DAY);
      buyer.decline(undefined);
      shop.advance(3 * DAY);
    },
    // The subscription was renewed, then past due, then active again.
    events: ['invoice.payment_failed', 'customer.subscription.updated', 'invoice.paid'],
    end: RENEWED,
  },

  'every attempt to renew fails': {
    before: (buyer) => buyer.subscribe(),
    tell(buyer, shop) {
      buyer.decline('expired_card');
      shop.advance(40 * DAY);
    },
    // Renewed, past due, and the end; of the four attempts nobody tells.
    events: ['customer.subscription.updated', 'customer.subscription.deleted'],
    end: { ...BASIC, plan: 'free', subscription: 'CANCELED' },
  },

  'a subscription changes to a dearer plan': {
    before: (buyer) => buyer.subscribe(),
    tell(buyer, shop) {
      shop.advance(10 * DAY);
      const items = [{ id: String(buyer.subscription().items.data[0]?.id), price: shop.proAtStripe }];
      buyer.changeSubscription({ items, proration_behavior: 'always_invoice' });
    },
    events: ['customer.subscription.updated', 'invoice.finalized', 'invoice.paid', 'invoice.payment_succeeded'],
    end(buyer) {
      // Both plans bring a credit for ten cents, so that is what the rest of the period brings.
      const more = Math.floor((buyer.invoices()[0]?.total ?? 0) / 10);
      const movements = ['PLAN_GRANT 100', `PLAN_GRANT ${more}`].sort();
      return { ...BASIC, movements, balance: 100 + more, plan: 'pro' };
    },
  },

  'a subscription is to end, and then is not': {
    before: (buyer) => buyer.subscribe(),
    tell(buyer) {
      buyer.changeSubscription({ cancel_at_period_end: 'true' });
      buyer.changeSubscription({ cancel_at_period_end: 'false' });
    },
    events: ['customer.subscription.updated'],
    end: BASIC,
  },

  'a subscription ends with its period': {
    before: (buyer) => buyer.subscribe(),
    tell(buyer, shop) {
      buyer.changeSubscription({ cancel_at_period_end: 'true' });
      shop.advance(31 * DAY);
    },
    events: ['customer.subscription.updated', 'customer.subscription.deleted'],
    end: { ...BASIC, plan: 'free', subscription: 'CANCELED ending' },
  },
});
