import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id } from '../../core/columns.js';

/** Who may come from where. Deny wins; no allow rule for a scope means from anywhere. */
export const ipRules = pgTable(
  'ip_rules',
  {
    id: id(),
    action: text('action', { enum: ['ALLOW', 'DENY'] }).notNull(),
    scope: text('scope', { enum: ['EVERYTHING', 'OPERATOR_SIGN_IN', 'SERVICE', 'API_KEY'] }).notNull(),
    /** The service or API key, for those scopes. */
    scopeId: uuid('scope_id'),
    cidr: text('cidr').notNull(),
    note: text('note'),
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
  },
  (table) => [
    index('ip_rules_created_at').on(table.createdAt, table.id),
    check('ip_rules_action', sql`${table.action} in ('ALLOW', 'DENY')`),
    check('ip_rules_scope', sql`(${table.scope} in ('SERVICE', 'API_KEY')) = (${table.scopeId} is not null)`),
  ],
);

export type IpRuleRow = typeof ipRules.$inferSelect;
