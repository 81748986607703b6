import { Arg, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { viewerId } from '../../core/viewer.js';
import { OkPayload, User } from '../auth/auth.types.js';
import { loadSubscription } from './billing.loaders.js';
import { toSubscription } from './billing.present.js';
import {
  BillingPortalSession,
  BillingSubscription,
  ChangeMySubscriptionInput,
  CheckoutSession,
  PaymentMethod,
  SetupIntent,
  StartCheckoutInput,
  StartSubscriptionInput,
  SubscriptionPayload,
  SubscriptionStart,
} from './billing.types.js';
import { startCheckout } from './checkout.service.js';
import {
  createBillingPortalSession,
  createMySetupIntent,
  paymentMethods,
  removePaymentMethod,
} from './payment-methods.service.js';
import { cancelMySubscription, changeMySubscription, resumeMySubscription } from './subscription-changes.service.js';
import { startSubscription } from './subscriptions.service.js';

/** What the signed-in person buys. */
@Resolver(() => User)
export class MyBillingResolver {
  @Mutation(() => CheckoutSession, { description: 'A page at Stripe to buy a credit pack or begin a subscription on.' })
  async startCheckout(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => StartCheckoutInput) input: StartCheckoutInput,
  ): Promise<CheckoutSession> {
    return startCheckout(app, { ...input, userId: viewerId(viewer), actor });
  }

  @Mutation(() => SubscriptionStart, { description: 'Subscribes without leaving the app.' })
  async startSubscription(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => StartSubscriptionInput) input: StartSubscriptionInput,
  ): Promise<SubscriptionStart> {
    const start = await startSubscription(app, { ...input, userId: viewerId(viewer), actor });
    return { ...start, subscription: toSubscription(start.subscription) };
  }

  @Mutation(() => SubscriptionPayload, { description: 'Moves the subscription to another price.' })
  async changeMySubscription(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('input', () => ChangeMySubscriptionInput) input: ChangeMySubscriptionInput,
  ): Promise<SubscriptionPayload> {
    const row = await changeMySubscription(app, { ...input, userId: viewerId(viewer), actor });
    return { subscription: toSubscription(row) };
  }

  @Mutation(() => SubscriptionPayload, { description: 'Ends the subscription with the period that is paid for.' })
  async cancelMySubscription(@Ctx() { app, viewer, actor }: Context): Promise<SubscriptionPayload> {
    return { subscription: toSubscription(await cancelMySubscription(app, { userId: viewerId(viewer), actor })) };
  }

  @Mutation(() => SubscriptionPayload, { description: 'Takes the end back, as long as it has not come.' })
  async resumeMySubscription(@Ctx() { app, viewer, actor }: Context): Promise<SubscriptionPayload> {
    return { subscription: toSubscription(await resumeMySubscription(app, { userId: viewerId(viewer), actor })) };
  }

  @Mutation(() => SetupIntent, { description: 'Lets Stripe’s form save a payment method for later.' })
  async createMySetupIntent(@Ctx() { app, viewer, actor }: Context): Promise<SetupIntent> {
    return createMySetupIntent(app, { userId: viewerId(viewer), actor });
  }

  @Mutation(() => OkPayload, { description: 'Forgets a saved payment method.' })
  async removePaymentMethod(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('paymentMethodId', () => ID) paymentMethodId: string,
  ): Promise<OkPayload> {
    return { ok: await removePaymentMethod(app, { userId: viewerId(viewer), paymentMethodId, actor }) };
  }

  @Mutation(() => BillingPortalSession, { description: 'A page at Stripe with invoices and payment methods.' })
  async createBillingPortalSession(
    @Ctx() { app, viewer, actor }: Context,
    @Arg('returnUrl', () => String, { nullable: true }) returnUrl: string | null | undefined,
  ): Promise<BillingPortalSession> {
    return { url: await createBillingPortalSession(app, { userId: viewerId(viewer), returnUrl, actor }) };
  }

  @FieldResolver(() => BillingSubscription, {
    nullable: true,
    description: 'What the person is subscribed to, or was last.',
  })
  async subscription(@Root() { id }: User, @Ctx() context: Context): Promise<BillingSubscription | null> {
    const row = await loadSubscription(context, id);
    return row && toSubscription(row);
  }

  @FieldResolver(() => [PaymentMethod], {
    nullable: true,
    description: 'Asked of Stripe for each person. Null, with an error beside it, when Stripe does not answer.',
  })
  async paymentMethods(@Root() { id }: User, @Ctx() { app }: Context): Promise<PaymentMethod[]> {
    return paymentMethods(app, { userId: id });
  }
}
