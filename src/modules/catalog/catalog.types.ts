import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, SafeInt } from '../../core/scalars.types.js';

export enum ProductKind {
  CREDIT_PACK = 'CREDIT_PACK',
  SUBSCRIPTION = 'SUBSCRIPTION',
  OTHER = 'OTHER',
}
registerEnumType(ProductKind, {
  name: 'ProductKind',
  valuesConfig: {
    CREDIT_PACK: { description: 'Paid once; brings credits.' },
    SUBSCRIPTION: { description: 'Paid every month or year; may bring a plan.' },
  },
});

export enum PriceInterval {
  ONCE = 'ONCE',
  MONTH = 'MONTH',
  YEAR = 'YEAR',
}
registerEnumType(PriceInterval, { name: 'PriceInterval' });

@ObjectType('Plan', { simpleResolvers: true, description: 'What a person may use.' })
export class Plan {
  @Field(() => String)
  code!: string;
}

@ObjectType('Price', { simpleResolvers: true, description: 'What a product costs in one currency.' })
export class Price {
  @Field(() => ID)
  id!: string;

  @Field(() => String, { description: 'ISO 4217.' })
  currency!: string;

  @Field(() => SafeInt, { description: 'In the minor unit of the currency: 1999 is 19.99 euros, or 1999 yen.' })
  amountMinor!: number;

  @Field(() => PriceInterval, { description: 'How often it is paid.' })
  interval!: keyof typeof PriceInterval;
}

@ObjectType('Product', { simpleResolvers: true, description: 'What can be bought.' })
export class Product {
  @Field(() => ID)
  id!: string;

  @Field(() => String)
  code!: string;

  @Field(() => String)
  name!: string;

  @Field(() => String, { nullable: true })
  description!: string | null;

  @Field(() => ProductKind)
  kind!: keyof typeof ProductKind;

  @Field(() => SafeInt, { description: 'Credits that each payment brings.' })
  creditsGranted!: number;

  @Field(() => [String], { description: 'https addresses.' })
  images!: string[];

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Since when it is not sold any more.' })
  archivedAt!: Date | null;
}

export const ProductConnection = connectionType('Product', () => Product);
export const PlanConnection = connectionType('Plan', () => Plan);

@ObjectType('ProductPayload', { simpleResolvers: true })
export class ProductPayload {
  @Field(() => Product)
  product!: Product;
}

@ObjectType('PlanPayload', { simpleResolvers: true })
export class PlanPayload {
  @Field(() => Plan)
  plan!: Plan;
}

const CODE = '1 to 40 lower case letters, digits, hyphens or underscores, beginning with a letter; never changes.';
const IMAGES = 'Up to 8 https addresses.';

@InputType('PriceInput')
export class PriceInput {
  @Field(() => String, { description: 'ISO 4217, in capitals.' })
  currency!: string;

  @Field(() => SafeInt, { description: 'In the minor unit of the currency; 0 or more.' })
  amountMinor!: number;

  @Field(() => PriceInterval, { description: 'ONCE for credit packs, MONTH or YEAR for subscriptions.' })
  interval!: PriceInterval;
}

@InputType('CreateProductInput')
export class CreateProductInput {
  @Field(() => String, { description: CODE })
  code!: string;

  @Field(() => String, { description: '1 to 80 characters.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'Up to 2,000 characters.' })
  description?: string | null;

  @Field(() => ProductKind)
  kind!: ProductKind;

  @Field(() => SafeInt, { nullable: true, description: '0 when left out; a credit pack brings at least 1.' })
  creditsGranted?: number | null;

  @Field(() => [String], { nullable: true, description: IMAGES })
  images?: string[] | null;

  @Field(() => [PriceInput], { description: 'One for each currency and interval.' })
  prices!: PriceInput[];
}

@InputType('UpdateProductInput', { description: 'What is left out stays.' })
export class UpdateProductInput {
  @Field(() => ID)
  productId!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'null takes it away.' })
  description?: string | null;

  @Field(() => SafeInt, { nullable: true })
  creditsGranted?: number | null;

  @Field(() => [String], { nullable: true, description: IMAGES })
  images?: string[] | null;

  @Field(() => [PriceInput], {
    nullable: true,
    description: 'All that there are to be: others end, those that stay as they are keep their id.',
  })
  prices?: PriceInput[] | null;
}

@InputType('CreatePlanInput')
export class CreatePlanInput {
  @Field(() => String, { description: CODE })
  code!: string;

  @Field(() => String, { description: '1 to 80 characters.' })
  name!: string;

  @Field(() => Int, { nullable: true, description: 'null or left out: no limit.' })
  conversationsPerDay?: number | null;

  @Field(() => Int, { nullable: true, description: 'null or left out: no limit.' })
  messagesPerDay?: number | null;

  @Field(() => SafeInt, { nullable: true, description: '0 when left out.' })
  monthlyCredits?: number | null;

  @Field(() => ID, { nullable: true, description: 'The SUBSCRIPTION product that brings the plan.' })
  productId?: string | null;
}

@InputType('UpdatePlanInput', { description: 'What is left out stays. Limits count at once for whoever has the plan.' })
export class UpdatePlanInput {
  @Field(() => String)
  code!: string;

  @Field(() => String, { nullable: true })
  name?: string | null;

  @Field(() => Int, { nullable: true, description: 'null: no limit.' })
  conversationsPerDay?: number | null;

  @Field(() => Int, { nullable: true, description: 'null: no limit.' })
  messagesPerDay?: number | null;

  @Field(() => SafeInt, { nullable: true })
  monthlyCredits?: number | null;

  @Field(() => ID, { nullable: true, description: 'null: the plan is not bought.' })
  productId?: string | null;

  @Field(() => Boolean, {
    nullable: true,
    description: 'true takes the plan off the list; whoever has it keeps it. false brings it back.',
  })
  archived?: boolean | null;
}
