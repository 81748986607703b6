import { sql } from 'drizzle-orm';
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/** What can be bought. Archived, never deleted: old receipts point here. */
export const products = pgTable(
  'products',
  {
    id: id(),
    code: text('code').notNull(),
    name: text('name').notNull(),
    description: text('description'),
    kind: text('kind', { enum: ['CREDIT_PACK', 'SUBSCRIPTION', 'OTHER'] }).notNull(),
    creditsGranted: bigint('credits_granted', { mode: 'number' }).notNull().default(0),
    images: jsonb('images').$type<string[]>().notNull().default([]),
    /** Made at Stripe when something of it is first sold. */
    stripeProductId: text('stripe_product_id'),
    /** When Stripe last heard of name, description and images. */
    stripeUpdatedAt: moment('stripe_updated_at'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
    archivedAt: moment('archived_at'),
  },
  (table) => [
    uniqueIndex('products_code').on(table.code),
    check('products_code_form', sql`${table.code} ~ '^[a-z][a-z0-9_-]{0,39}$'`),
    check('products_kind', sql`${table.kind} in ('CREDIT_PACK', 'SUBSCRIPTION', 'OTHER')`),
    check('products_credits', sql`${table.creditsGranted} >= 0`),
  ],
);

/** One price per currency and interval. An amount is never edited: a new price takes over and the old one ends. */
export const prices = pgTable(
  'prices',
  {
    id: id(),
    productId: uuid('product_id')
      .notNull()
      .references(() => products.id),
    currency: text('currency').notNull(),
    /** In the currency's minor unit. */
    amountMinor: bigint('amount_minor', { mode: 'number' }).notNull(),
    interval: text('interval', { enum: ['ONCE', 'MONTH', 'YEAR'] }).notNull(),
    active: boolean('active').notNull().default(true),
    /** Made at Stripe when it is first paid. */
    stripePriceId: text('stripe_price_id'),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex('prices_stripe_id').on(table.stripePriceId),
    uniqueIndex('prices_one_active').on(table.productId, table.currency, table.interval).where(sql`${table.active}`),
    index('prices_product').on(table.productId),
    check('prices_currency', sql`${table.currency} ~ '^[A-Z]{3}$'`),
    check('prices_amount', sql`${table.amountMinor} >= 0`),
    check('prices_interval', sql`${table.interval} in ('ONCE', 'MONTH', 'YEAR')`),
  ],
);

/** What a person may use. A limit of null means "no limit". The plan `free` is made by a migration. */
export const plans = pgTable(
  'plans',
  {
    code: text('code').primaryKey(),
    name: text('name').notNull(),
    conversationsPerDay: integer('conversations_per_day'),
    messagesPerDay: integer('messages_per_day'),
    monthlyCredits: bigint('monthly_credits', { mode: 'number' }).notNull().default(0),
    /** The subscription product that brings the plan; null for plans that are not bought. */
    productId: uuid('product_id').references(() => products.id),
    archivedAt: moment('archived_at'),
    createdAt: createdAt(),
  },
  (table) => [
    check('plans_code_form', sql`${table.code} ~ '^[a-z][a-z0-9_-]{0,39}$'`),
    check(
      'plans_not_negative',
      sql`${table.conversationsPerDay} >= 0 and ${table.messagesPerDay} >= 0 and ${table.monthlyCredits} >= 0`,
    ),
  ],
);

export type ProductRow = typeof products.$inferSelect;
export type PriceRow = typeof prices.$inferSelect;
export type PlanRow = typeof plans.$inferSelect;
