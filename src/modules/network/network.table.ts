import { sql } from 'drizzle-orm';
import { check, cidr, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id } from '../../core/columns.js';
import { apiKeys } from '../auth/auth.table.js';
import { services } from '../services/services.table.js';

/**
 * Who may come from where. Deny wins; no allow rule for a scope means from anywhere. A trigger tells every instance
 * of every change (channel `credence_ip_rules`), one made by hand with SQL, too.
 */
export const ipRules = pgTable(
  'ip_rules',
  {
    id: id(),
    action: text('action', { enum: ['ALLOW', 'DENY'] }).notNull(),
    scope: text('scope', { enum: ['EVERYTHING', 'OPERATOR_SIGN_IN', 'SERVICE', 'API_KEY'] }).notNull(),
    /** Of the scope SERVICE. */
    serviceId: uuid('service_id').references(() => services.id, { onDelete: 'cascade' }),
    /** Of the scope API_KEY. */
    apiKeyId: uuid('api_key_id').references(() => apiKeys.id, { onDelete: 'cascade' }),
    /** The type takes no text that is not an address block: a bad entry cannot be stored (W4). */
    cidr: cidr('cidr').notNull(),
    note: text('note'),
    /** The admin who made it. */
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
  },
  (table) => [
    index('ip_rules_created_at').on(table.createdAt, table.id),
    check('ip_rules_action', sql`${table.action} in ('ALLOW', 'DENY')`),
    check('ip_rules_scope_known', sql`${table.scope} in ('EVERYTHING', 'OPERATOR_SIGN_IN', 'SERVICE', 'API_KEY')`),
    check('ip_rules_service', sql`(${table.scope} = 'SERVICE') = (${table.serviceId} is not null)`),
    check('ip_rules_api_key', sql`(${table.scope} = 'API_KEY') = (${table.apiKeyId} is not null)`),
  ],
);

export type IpRuleRow = typeof ipRules.$inferSelect;
