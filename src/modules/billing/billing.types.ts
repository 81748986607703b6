import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime } from '../../core/scalars.types.js';

export enum SubscriptionStatus {
  INCOMPLETE = 'INCOMPLETE',
  INCOMPLETE_EXPIRED = 'INCOMPLETE_EXPIRED',
  TRIALING = 'TRIALING',
  ACTIVE = 'ACTIVE',
  PAST_DUE = 'PAST_DUE',
  CANCELED = 'CANCELED',
  UNPAID = 'UNPAID',
  PAUSED = 'PAUSED',
}
registerEnumType(SubscriptionStatus, {
  name: 'SubscriptionStatus',
  description: 'In Stripe’s words.',
  valuesConfig: {
    INCOMPLETE: { description: 'The first payment wants something of the person, within 23 hours.' },
    PAST_DUE: { description: 'A payment failed and is tried again; the plan stays meanwhile.' },
    CANCELED: { description: 'Over.' },
  },
});

export enum SubscriptionChangeTime {
  NOW = 'NOW',
  PERIOD_END = 'PERIOD_END',
}
registerEnumType(SubscriptionChangeTime, {
  name: 'SubscriptionChangeTime',
  valuesConfig: {
    NOW: { description: 'Charges or credits the rest of the period at once.' },
    PERIOD_END: { description: 'With the next renewal; for prices of the same interval.' },
  },
});

@ObjectType('BillingSubscription', { simpleResolvers: true, description: 'What a person pays for again and again.' })
export class BillingSubscription {
  /** Not fields: what the resolvers look up. */
  priceId!: string | null;
  nextPriceId!: string | null;
  productId!: string | null;

  @Field(() => ID)
  id!: string;

  @Field(() => SubscriptionStatus)
  status!: keyof typeof SubscriptionStatus;

  @Field(() => DateTime, { nullable: true })
  currentPeriodStart!: Date | null;

  @Field(() => DateTime, { nullable: true })
  currentPeriodEnd!: Date | null;

  @Field(() => Boolean, { description: 'Whether it ends with the period instead of being renewed.' })
  cancelAtPeriodEnd!: boolean;

  @Field(() => DateTime, { nullable: true })
  endedAt!: Date | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

@ObjectType('CheckoutSession', { simpleResolvers: true, description: 'A page at Stripe on which something is paid.' })
export class CheckoutSession {
  @Field(() => ID, { description: 'Of the order.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Null once it was paid or has expired.' })
  url!: string | null;

  @Field(() => DateTime, { nullable: true })
  expiresAt!: Date | null;

  @Field(() => Boolean, { description: 'Whether this is the answer of an earlier call with the key.' })
  replayed!: boolean;
}

@ObjectType('SubscriptionPayload', { simpleResolvers: true })
export class SubscriptionPayload {
  @Field(() => BillingSubscription)
  subscription!: BillingSubscription;
}

@ObjectType('SubscriptionStart', { simpleResolvers: true })
export class SubscriptionStart extends SubscriptionPayload {
  @Field(() => String, {
    nullable: true,
    description: 'For Stripe’s own form, while the first payment wants something of the person.',
  })
  clientSecret!: string | null;

  @Field(() => Boolean, { description: 'Whether this is the answer of an earlier call with the key.' })
  replayed!: boolean;
}

@ObjectType('SetupIntent', {
  simpleResolvers: true,
  description: 'Lets Stripe’s form save a payment method for later.',
})
export class SetupIntent {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'For Stripe’s own form; whoever has it can finish it.' })
  clientSecret!: string;
}

@ObjectType('PaymentCard', { simpleResolvers: true })
export class PaymentCard {
  @Field(() => String)
  brand!: string;

  @Field(() => String)
  last4!: string;

  @Field(() => Int)
  expiryMonth!: number;

  @Field(() => Int)
  expiryYear!: number;
}

@ObjectType('PaymentMethod', { simpleResolvers: true, description: 'What is saved at Stripe, as far as it is told.' })
export class PaymentMethod {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'In Stripe’s words: card, sepa_debit …' })
  type!: string;

  @Field(() => PaymentCard, { nullable: true })
  card!: PaymentCard | null;

  @Field(() => Boolean, { description: 'Whether renewals are paid with it unless the subscription names another.' })
  isDefault!: boolean;
}

@ObjectType('BillingPortalSession', { simpleResolvers: true })
export class BillingPortalSession {
  @Field(() => String, { description: 'A page at Stripe with invoices, payment methods and subscription.' })
  url!: string;
}

const KEY = '1 to 255 characters; the same key and input answer the first result again.';
const PRICE = 'Of a product that is sold.';
const BACK = 'At PUBLIC_URL, FRONTEND_URL or one of CORS_ORIGINS; a page of the front end when left out.';
const METHOD = 'A saved payment method, charged at once; without it Stripe’s form makes the first payment.';

@InputType('StartCheckoutInput')
export class StartCheckoutInput {
  @Field(() => ID, { description: PRICE })
  priceId!: string;

  @Field(() => Int, { nullable: true, description: '1 to 100, of a subscription 1; 1 when left out.' })
  quantity?: number | null;

  @Field(() => String, { nullable: true, description: BACK })
  successUrl?: string | null;

  @Field(() => String, { nullable: true, description: BACK })
  cancelUrl?: string | null;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('CreateCheckoutSessionInput')
export class CreateCheckoutSessionInput extends StartCheckoutInput {
  @Field(() => ID)
  userId!: string;
}

@InputType('StartSubscriptionInput')
export class StartSubscriptionInput {
  @Field(() => ID, { description: PRICE })
  priceId!: string;

  @Field(() => ID, { nullable: true, description: METHOD })
  paymentMethodId?: string | null;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('CreateSubscriptionInput')
export class CreateSubscriptionInput extends StartSubscriptionInput {
  @Field(() => ID)
  userId!: string;
}

@InputType('ChangeMySubscriptionInput')
export class ChangeMySubscriptionInput {
  @Field(() => ID, { description: PRICE })
  priceId!: string;

  @Field(() => SubscriptionChangeTime)
  when!: SubscriptionChangeTime;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('ChangeSubscriptionInput')
export class ChangeSubscriptionInput extends ChangeMySubscriptionInput {
  @Field(() => ID)
  userId!: string;
}
