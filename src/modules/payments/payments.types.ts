import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, SafeInt } from '../../core/scalars.types.js';

export enum PaymentKind {
  CHECKOUT = 'CHECKOUT',
  INVOICE = 'INVOICE',
}
registerEnumType(PaymentKind, {
  name: 'PaymentKind',
  valuesConfig: { CHECKOUT: { description: 'Paid once.' }, INVOICE: { description: 'Of a subscription.' } },
});

export enum PaymentStatus {
  PENDING = 'PENDING',
  SUCCEEDED = 'SUCCEEDED',
  FAILED = 'FAILED',
  CANCELED = 'CANCELED',
}
registerEnumType(PaymentStatus, {
  name: 'PaymentStatus',
  valuesConfig: {
    PENDING: { description: 'Not paid yet; a bank may take days.' },
    FAILED: { description: 'The last attempt failed; that of a subscription is tried again.' },
    CANCELED: { description: 'Not asked for any more.' },
  },
});

export enum ReversalKind {
  REFUND = 'REFUND',
  DISPUTE = 'DISPUTE',
}
registerEnumType(ReversalKind, { name: 'ReversalKind' });

@ObjectType('PaymentReversal', { simpleResolvers: true, description: 'Money that went back, or is fought over.' })
export class PaymentReversal {
  @Field(() => ID)
  id!: string;

  @Field(() => ReversalKind)
  kind!: keyof typeof ReversalKind;

  @Field(() => String, { description: 'Of the refund or dispute, at Stripe.' })
  stripeId!: string;

  @Field(() => String, { description: 'In Stripe’s words.' })
  stripeStatus!: string;

  @Field(() => SafeInt)
  amountMinor!: number;

  @Field(() => Boolean, { description: 'Whether the money is gone: refunded, or lost in the dispute.' })
  effective!: boolean;

  @Field(() => SafeInt, { description: 'Credits that were taken back for it.' })
  creditsTaken!: number;

  @Field(() => SafeInt, { description: 'Credits that were not there any more; taken from what later payments bring.' })
  creditsOwed!: number;

  @Field(() => DateTime)
  createdAt!: Date;
}

@ObjectType('Payment', { simpleResolvers: true, description: 'A paid checkout, or an invoice of a subscription.' })
export class Payment {
  @Field(() => ID)
  id!: string;

  @Field(() => ID)
  userId!: string;

  @Field(() => PaymentKind)
  kind!: keyof typeof PaymentKind;

  @Field(() => PaymentStatus)
  status!: keyof typeof PaymentStatus;

  @Field(() => String, { description: 'Of the checkout session or invoice, at Stripe.' })
  stripeId!: string;

  @Field(() => SafeInt, { description: 'Paid, or to be paid, in the minor unit of the currency.' })
  amountMinor!: number;

  @Field(() => SafeInt, { description: 'Of that, refunded or lost in disputes.' })
  reversedMinor!: number;

  @Field(() => String, { description: 'ISO 4217.' })
  currency!: string;

  @Field(() => SafeInt, { description: 'Credits that the payment has brought.' })
  creditsGranted!: number;

  @Field(() => Int, { description: 'Attempts that failed.' })
  failures!: number;

  @Field(() => DateTime, { nullable: true })
  paidAt!: Date | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

export const PaymentConnection = connectionType('Payment', () => Payment);

export enum BillingDifferenceKind {
  PAYMENT_MISSING = 'PAYMENT_MISSING',
  PAYMENT_DIFFERS = 'PAYMENT_DIFFERS',
  REVERSAL_MISSING = 'REVERSAL_MISSING',
  REVERSAL_DIFFERS = 'REVERSAL_DIFFERS',
  SUBSCRIPTION_MISSING = 'SUBSCRIPTION_MISSING',
  SUBSCRIPTION_DIFFERS = 'SUBSCRIPTION_DIFFERS',
  SEVERAL_SUBSCRIPTIONS = 'SEVERAL_SUBSCRIPTIONS',
}
registerEnumType(BillingDifferenceKind, {
  name: 'BillingDifferenceKind',
  valuesConfig: { SEVERAL_SUBSCRIPTIONS: { description: 'Somebody pays for more than one at a time.' } },
});

@ObjectType('BillingDifference', { simpleResolvers: true, description: 'Where our books and Stripe do not agree.' })
export class BillingDifference {
  @Field(() => BillingDifferenceKind)
  kind!: keyof typeof BillingDifferenceKind;

  @Field(() => ID, { nullable: true })
  userId!: string | null;

  @Field(() => String)
  stripeId!: string;

  @Field(() => String, { nullable: true, description: 'As it stands here; null: it does not.' })
  here!: string | null;

  @Field(() => String, { nullable: true, description: 'As Stripe says; null: it is on no list there.' })
  atStripe!: string | null;
}

@ObjectType('BillingReconciliation', { simpleResolvers: true, description: 'What Stripe says beside what we say.' })
export class BillingReconciliation {
  @Field(() => Boolean, { description: 'Nothing differs, no event was given up, and everything was looked at.' })
  ok!: boolean;

  @Field(() => DateTime)
  checkedAt!: Date;

  @Field(() => DateTime)
  from!: Date;

  @Field(() => DateTime)
  to!: Date;

  @Field(() => Int, { description: 'Paid checkouts and invoices of the time that Stripe has.' })
  payments!: number;

  @Field(() => Int, { description: 'Refunds and disputes of the time that Stripe has.' })
  reversals!: number;

  @Field(() => Int, { description: 'Subscriptions that last, whenever they began.' })
  subscriptions!: number;

  @Field(() => Int, { description: 'Events of Stripe that wait to be applied.' })
  pendingEvents!: number;

  @Field(() => Int, { description: 'Events of Stripe that were given up.' })
  deadEvents!: number;

  @Field(() => [BillingDifference])
  differences!: BillingDifference[];

  @Field(() => Boolean, { description: 'There was more than can be looked at: ask for a shorter time.' })
  truncated!: boolean;
}
