import { sql } from 'drizzle-orm';
import { check, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';

/** Support staff: level 1 looks, level 2 helps, level 3 decides. A separate kind of account. */
export const staffMembers = pgTable(
  'staff_members',
  {
    id: id(),
    username: text('username').notNull(),
    usernameKey: text('username_key').notNull(),
    email: text('email').notNull(),
    emailKey: text('email_key').notNull(),
    /** Null until the invitation was accepted. */
    passwordHash: text('password_hash'),
    /** What it allows, and nothing else does: staff hold no permissions. */
    level: integer('level').notNull(),
    disabledAt: moment('disabled_at'),
    createdBy: uuid('created_by'),
    createdAt: createdAt(),
    lastLoginAt: moment('last_login_at'),
  },
  (table) => [
    uniqueIndex('staff_members_username_key').on(table.usernameKey),
    uniqueIndex('staff_members_email_key').on(table.emailKey),
    check('staff_members_level', sql`${table.level} between 1 and 3`),
    check(
      'staff_members_keys_lower',
      sql`${table.usernameKey} = lower(${table.usernameKey}) and ${table.emailKey} = lower(${table.emailKey})`,
    ),
  ],
);

export type StaffRow = typeof staffMembers.$inferSelect;
