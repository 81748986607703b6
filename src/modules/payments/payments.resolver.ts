import { Arg, Args, Ctx, FieldResolver, ID, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { type Connection, mapConnection } from '../../core/pages.js';
import { PageArgs } from '../../core/pages.types.js';
import { DateTime } from '../../core/scalars.types.js';
import { listPayments } from './payment-lists.service.js';
import { loadReversals } from './payments.loaders.js';
import { toPayment, toReversal } from './payments.present.js';
import { BillingReconciliation, Payment, PaymentConnection, PaymentReversal, PaymentStatus } from './payments.types.js';
import { billingReconciliation } from './reconciliation.service.js';

@Resolver(() => Payment)
export class PaymentsResolver {
  @Query(() => PaymentConnection, { description: 'Payments of everybody or of one person, the latest first.' })
  async payments(
    @Ctx() { app, actor }: Context,
    @Args(() => PageArgs) page: PageArgs,
    @Arg('userId', () => ID, { nullable: true }) userId: string | null | undefined,
    @Arg('status', () => PaymentStatus, { nullable: true }) status: PaymentStatus | null | undefined,
  ): Promise<Connection<Payment>> {
    return mapConnection(await listPayments(app, { ...page, userId, status, actor }), toPayment);
  }

  @Query(() => BillingReconciliation, {
    description:
      'Compares with Stripe what was sold in this time (the last day, when it is left out) and every subscription that lasts. Changes nothing.',
  })
  async billingReconciliation(
    @Ctx() { app, actor }: Context,
    @Arg('from', () => DateTime, { nullable: true }) from: Date | null | undefined,
    @Arg('to', () => DateTime, { nullable: true }) to: Date | null | undefined,
  ): Promise<BillingReconciliation> {
    return billingReconciliation(app, { from, to, actor });
  }

  @FieldResolver(() => [PaymentReversal], { description: 'Refunds and disputes, oldest first.' })
  async reversals(@Root() { id }: Payment, @Ctx() context: Context): Promise<PaymentReversal[]> {
    return (await loadReversals(context, id)).map(toReversal);
  }
}
