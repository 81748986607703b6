import { sql } from 'drizzle-orm';
import { check, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/** Operators. A separate kind of account: no row here has anything to do with a row in `users`. */
export const admins = pgTable(
  'admins',
  {
    id: id(),
    username: text('username').notNull(),
    /** Lower case; what sign-in looks up. */
    usernameKey: text('username_key').notNull(),
    email: text('email').notNull(),
    emailKey: text('email_key').notNull(),
    /** Null until the invitation was accepted: nobody ever chooses another's password (ASVS 6.4.6). */
    passwordHash: text('password_hash'),
    permissions: text('permissions').array().notNull(),
    disabledAt: moment('disabled_at'),
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
    lastLoginAt: moment('last_login_at'),
  },
  (table) => [
    uniqueIndex('admins_username_key').on(table.usernameKey),
    uniqueIndex('admins_email_key').on(table.emailKey),
    check(
      'admins_keys_lower',
      sql`${table.usernameKey} = lower(${table.usernameKey}) and ${table.emailKey} = lower(${table.emailKey})`,
    ),
  ],
);

export type AdminRow = typeof admins.$inferSelect;
