import { Arg, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../../core/context.js';
import { loadProduct } from '../catalog/catalog.loaders.js';
import { toPrice, toProduct } from '../catalog/catalog.present.js';
import { Price, Product } from '../catalog/catalog.types.js';
import { loadPrice } from './billing.loaders.js';
import { toSubscription } from './billing.present.js';
import {
  BillingSubscription,
  ChangeSubscriptionInput,
  CheckoutSession,
  CreateCheckoutSessionInput,
  CreateSubscriptionInput,
  PaymentMethod,
  SetupIntent,
  SubscriptionPayload,
  SubscriptionStart,
} from './billing.types.js';
import { createCheckoutSession } from './checkout.service.js';
import { createSetupIntent, paymentMethods } from './payment-methods.service.js';
import { cancelSubscription, changeSubscription } from './subscription-changes.service.js';
import { subscription } from './subscription-states.service.js';
import { createSubscription } from './subscriptions.service.js';

const AT_ONCE = { defaultValue: false, description: 'Now, instead of with the period that is paid for.' };

/** What services buy on behalf of people. */
@Resolver(() => BillingSubscription)
export class BillingResolver {
  @Query(() => BillingSubscription, { nullable: true, description: 'What a person is subscribed to, or was last.' })
  async subscription(
    @Ctx() { app }: Context,
    @Arg('userId', () => ID) userId: string,
  ): Promise<BillingSubscription | null> {
    const row = await subscription(app, { userId });
    return row && toSubscription(row);
  }

  @Query(() => [PaymentMethod], { description: 'What a person has saved at Stripe.' })
  async paymentMethods(@Ctx() { app }: Context, @Arg('userId', () => ID) userId: string): Promise<PaymentMethod[]> {
    return paymentMethods(app, { userId });
  }

  @Mutation(() => CheckoutSession, { description: 'A page at Stripe for a person to pay on.' })
  async createCheckoutSession(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateCheckoutSessionInput) input: CreateCheckoutSessionInput,
  ): Promise<CheckoutSession> {
    return createCheckoutSession(app, { ...input, actor });
  }

  @Mutation(() => SetupIntent, { description: 'Lets Stripe’s form save a payment method of a person for later.' })
  async createSetupIntent(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
  ): Promise<SetupIntent> {
    return createSetupIntent(app, { userId, actor });
  }

  @Mutation(() => SubscriptionStart, { description: 'Subscribes a person.' })
  async createSubscription(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => CreateSubscriptionInput) input: CreateSubscriptionInput,
  ): Promise<SubscriptionStart> {
    const start = await createSubscription(app, { ...input, actor });
    return { ...start, subscription: toSubscription(start.subscription) };
  }

  @Mutation(() => SubscriptionPayload, { description: 'Moves a person’s subscription to another price.' })
  async changeSubscription(
    @Ctx() { app, actor }: Context,
    @Arg('input', () => ChangeSubscriptionInput) input: ChangeSubscriptionInput,
  ): Promise<SubscriptionPayload> {
    return { subscription: toSubscription(await changeSubscription(app, { ...input, actor })) };
  }

  @Mutation(() => SubscriptionPayload, { description: 'Ends a person’s subscription. Twice is once.' })
  async cancelSubscription(
    @Ctx() { app, actor }: Context,
    @Arg('userId', () => ID) userId: string,
    @Arg('immediately', () => Boolean, AT_ONCE) immediately: boolean,
  ): Promise<SubscriptionPayload> {
    return { subscription: toSubscription(await cancelSubscription(app, { userId, immediately, actor })) };
  }

  @FieldResolver(() => Product, { nullable: true, description: 'Null for what is not sold any more.' })
  async product(@Root() { productId }: BillingSubscription, @Ctx() context: Context): Promise<Product | null> {
    const product = await loadProduct(context, productId);
    return product && toProduct(product);
  }

  @FieldResolver(() => Price, { nullable: true, description: 'Null for a price that was made at Stripe by hand.' })
  async price(@Root() { priceId }: BillingSubscription, @Ctx() context: Context): Promise<Price | null> {
    const price = await loadPrice(context, priceId);
    return price && toPrice(price);
  }

  @FieldResolver(() => Price, { nullable: true, description: 'What takes over when the period ends.' })
  async nextPrice(@Root() { nextPriceId }: BillingSubscription, @Ctx() context: Context): Promise<Price | null> {
    const price = await loadPrice(context, nextPriceId);
    return price && toPrice(price);
  }
}
