import { closeDispute, failRefund } from '../support/fake-stripe/reversals.ts';
import { PACK, tellStories } from '../support/stories.js';

const DISPUTED = ['charge.dispute.created', 'charge.dispute.funds_withdrawn', 'charge.dispute.updated'];

tellStories({
  'a pack is bought and refunded in two parts': {
    async tell(buyer) {
      await buyer.buyPack();
      buyer.refund(400);
      buyer.refund();
    },
    // Each kind about a refund comes twice.
    events: ['checkout.session.completed', 'refund.created', 'charge.refunded'],
    end: { ...PACK, movements: ['CLAWBACK -200', 'CLAWBACK -300', 'PURCHASE 500'], balance: 0 },
  },

  'a pack is refunded in part': {
    before: (buyer) => buyer.buyPack(),
    tell: (buyer) => void buyer.refund(250),
    events: ['refund.created', 'charge.refunded'],
    end: { ...PACK, movements: ['CLAWBACK -125', 'PURCHASE 500'], balance: 375 },
  },

  'a refund comes when most is spent': {
    async before(buyer, { h }) {
      await buyer.buyPack();
      await h.settled();
      await buyer.spend(450);
    },
    tell: (buyer) => void buyer.refund(),
    events: ['refund.created', 'charge.refunded'],
    end: { ...PACK, movements: ['CLAWBACK -50', 'PURCHASE 500', 'USE -450'], balance: 0 },
  },

  'a refund does not go through': {
    before: (buyer) => buyer.buyPack(),
    tell: (buyer, { h }) => void failRefund(h.fake.store, buyer.refund().id),
    events: ['refund.created', 'charge.refunded', 'refund.updated', 'refund.failed'],
    end: PACK,
  },

  'a dispute is lost': {
    async tell(buyer, { h }) {
      await buyer.buyPack();
      closeDispute(h.fake.store, buyer.dispute().id, 'lost');
    },
    events: ['checkout.session.completed', ...DISPUTED, 'charge.dispute.closed'],
    end: { ...PACK, movements: ['CLAWBACK -500', 'PURCHASE 500'], balance: 0 },
  },

  'a dispute is won': {
    before: (buyer) => buyer.buyPack(),
    tell: (buyer, { h }) => void closeDispute(h.fake.store, buyer.dispute().id, 'won'),
    events: [...DISPUTED, 'charge.dispute.closed', 'charge.dispute.funds_reinstated'],
    end: PACK,
  },
});
