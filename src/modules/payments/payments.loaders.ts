import DataLoader from 'dataloader';
import { type Context, loaderOf } from '../../core/context.js';
import { findReversals } from './payment-lists.service.js';
import type { ReversalRow } from './payments.table.js';

function reversalsByPayment({ app }: Context): DataLoader<string, ReversalRow[]> {
  return new DataLoader(async (ids) => {
    const found = await findReversals(app, ids);
    return ids.map((id) => found.get(id) ?? []);
  });
}

/** What went back of a payment; one query for all payments asked for at once. */
export async function loadReversals(context: Context, paymentId: string): Promise<ReversalRow[]> {
  return loaderOf(context, reversalsByPayment).load(paymentId);
}
