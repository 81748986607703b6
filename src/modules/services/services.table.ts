import { index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/** Other programs of the operator. A service holds scopes; its keys prove that it is the service. */
export const services = pgTable(
  'services',
  {
    id: id(),
    name: text('name').notNull(),
    scopes: text('scopes').array().notNull(),
    disabledAt: moment('disabled_at'),
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex('services_name').on(table.name)],
);

/** Two live keys at once make a rotation without an outage. Only the SHA-256 is kept. */
export const serviceKeys = pgTable(
  'service_keys',
  {
    id: id(),
    serviceId: uuid('service_id')
      .notNull()
      .references(() => services.id, { onDelete: 'cascade' }),
    keyHash: text('key_hash').notNull(),
    start: text('start').notNull(),
    createdAt: createdAt(),
    /** Set on the old key when a new one takes over; null means until it is rotated. */
    expiresAt: moment('expires_at'),
    lastUsedAt: moment('last_used_at'),
  },
  (table) => [uniqueIndex('service_keys_hash').on(table.keyHash), index('service_keys_service').on(table.serviceId)],
);

export type ServiceRow = typeof services.$inferSelect;
export type ServiceKeyRow = typeof serviceKeys.$inferSelect;
