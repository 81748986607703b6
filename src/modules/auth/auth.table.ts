import { sql } from 'drizzle-orm';
import { bigint, boolean, check, index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { admins } from '../admin/admin.table.js';
import { plans } from '../catalog/catalog.table.js';
import { staffMembers } from '../staff/staff.table.js';

export const users = pgTable(
  'users',
  {
    id: id(),
    /** As the person wrote it; shown. */
    username: text('username').notNull(),
    /** Lower case; unique; what sign-in looks up. */
    usernameKey: text('username_key').notNull(),
    email: text('email').notNull(),
    emailKey: text('email_key').notNull(),
    emailVerifiedAt: moment('email_verified_at'),
    /** PHC string. Null for people who only ever sign in elsewhere. */
    passwordHash: text('password_hash'),
    displayName: text('display_name'),
    locale: text('locale').notNull().default('en'),
    /** IANA name. The person's day, and so the daily limits, turn at midnight here. */
    timeZone: text('time_zone').notNull().default('UTC'),
    /** An https address elsewhere, or the path of a file of ours, which is shown under PUBLIC_URL. */
    avatarUrl: text('avatar_url'),
    planCode: text('plan_code')
      .notNull()
      .default('free')
      .references(() => plans.code),
    /** The person's own daily limits; null means those of the plan. */
    conversationsPerDay: integer('conversations_per_day'),
    messagesPerDay: integer('messages_per_day'),
    /** A deleted row keeps its id for the ledger and nothing else: its data is sealed in `deleted_users`. */
    status: text('status', { enum: ['ACTIVE', 'SUSPENDED', 'DELETED'] })
      .notNull()
      .default('ACTIVE'),
    suspendedAt: moment('suspended_at'),
    /** A suspension with an end lifts itself: every reader compares with the clock. */
    suspendedUntil: moment('suspended_until'),
    suspensionReason: text('suspension_reason'),
    deletedAt: moment('deleted_at'),
    createdAt: createdAt(),
    updatedAt: moment('updated_at').notNull(),
    lastLoginAt: moment('last_login_at'),
  },
  (table) => [
    uniqueIndex('users_username_key').on(table.usernameKey),
    uniqueIndex('users_email_key').on(table.emailKey),
    // With the deletion, so that everybody who is there is counted without a look at a row.
    index('users_created_at').on(table.createdAt, table.id, table.deletedAt),
    // For the filters that fit few among many.
    index('users_suspended').on(table.createdAt, table.id).where(sql`${table.status} = 'SUSPENDED'`),
    index('users_deleted').on(table.createdAt, table.id).where(sql`${table.deletedAt} is not null`),
    index('users_unverified')
      .on(table.createdAt, table.id)
      .where(sql`${table.emailVerifiedAt} is null and ${table.deletedAt} is null`),
    check(
      'users_keys_lower',
      sql`${table.usernameKey} = lower(${table.usernameKey}) and ${table.emailKey} = lower(${table.emailKey})`,
    ),
    check('users_status', sql`${table.status} in ('ACTIVE', 'SUSPENDED', 'DELETED')`),
    check('users_deletion', sql`(${table.status} = 'DELETED') = (${table.deletedAt} is not null)`),
    check('users_own_limits', sql`${table.conversationsPerDay} >= 0 and ${table.messagesPerDay} >= 0`),
    check('users_suspension', sql`(${table.status} = 'SUSPENDED') = (${table.suspendedAt} is not null)`),
  ],
);

/**
 * One row a sign-in, for every kind of account. The refresh token itself is never here: `refresh_hash` is
 * the SHA-256 of the current one and `previous_hash` that of the one before it, which is honoured for 20
 * seconds after `rotated_at` (two tabs must not sign anyone out).
 */
export const sessions = pgTable(
  'sessions',
  {
    id: id(),
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    adminId: uuid('admin_id').references(() => admins.id, { onDelete: 'cascade' }),
    staffId: uuid('staff_id').references(() => staffMembers.id, { onDelete: 'cascade' }),
    method: text('method', { enum: ['PASSWORD', 'GOOGLE', 'RECOVERY', 'IMPERSONATION', 'REGISTRATION'] }).notNull(),
    refreshHash: text('refresh_hash').notNull(),
    previousHash: text('previous_hash'),
    rotatedAt: moment('rotated_at').notNull(),
    createdAt: createdAt(),
    lastUsedAt: moment('last_used_at').notNull(),
    /** Last proof of the password, or sign-in at the provider; `FRESH` looks at it. */
    authenticatedAt: moment('authenticated_at').notNull(),
    /** Idle end; each refresh moves it, never beyond `ends_at`. */
    expiresAt: moment('expires_at').notNull(),
    /** Absolute end; nothing moves it. */
    endsAt: moment('ends_at').notNull(),
    ip: text('ip'),
    userAgent: text('user_agent'),
    revokedAt: moment('revoked_at'),
    revokedReason: text('revoked_reason'),
    /** Of an impersonation: the admin who acts, why, and whether more than looking is allowed. */
    impersonatorId: uuid('impersonator_id').references(() => admins.id),
    impersonationReason: text('impersonation_reason'),
    readOnly: boolean('read_only').notNull().default(false),
  },
  (table) => [
    index('sessions_staff').on(table.staffId, table.createdAt, table.id),
    index('sessions_user').on(table.userId, table.createdAt, table.id),
    index('sessions_admin').on(table.adminId, table.createdAt, table.id),
    index('sessions_ends_at').on(table.endsAt),
    index('sessions_impersonator').on(table.impersonatorId).where(sql`${table.impersonatorId} is not null`),
    check('sessions_one_owner', sql`num_nonnulls(${table.userId}, ${table.adminId}, ${table.staffId}) = 1`),
    check('sessions_impersonation', sql`(${table.method} = 'IMPERSONATION') = (${table.impersonatorId} is not null)`),
    check('sessions_expiry', sql`${table.expiresAt} <= ${table.endsAt}`),
  ],
);

export const EMAIL_TOKEN_PURPOSES = [
  'VERIFY_EMAIL',
  'RESET_PASSWORD',
  'CHANGE_EMAIL',
  'UNDO_EMAIL_CHANGE',
  'INVITATION',
] as const;

/** Single-use secrets that travel in letters. Hash only; one live row per account and purpose. */
export const emailTokens = pgTable(
  'email_tokens',
  {
    id: id(),
    purpose: text('purpose', { enum: EMAIL_TOKEN_PURPOSES }).notNull(),
    tokenHash: text('token_hash').notNull(),
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    adminId: uuid('admin_id').references(() => admins.id, { onDelete: 'cascade' }),
    staffId: uuid('staff_id').references(() => staffMembers.id, { onDelete: 'cascade' }),
    /** The address the token proves (verify, change) or gives back (undo). */
    email: text('email').notNull(),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
    usedAt: moment('used_at'),
    /** Set when a newer token of its purpose, or a credential change, took its force away. */
    voidedAt: moment('voided_at'),
  },
  (table) => [
    uniqueIndex('email_tokens_hash').on(table.tokenHash),
    index('email_tokens_user').on(table.userId, table.purpose),
    index('email_tokens_staff').on(table.staffId, table.purpose),
    index('email_tokens_admin').on(table.adminId, table.purpose),
    // Every sign-up asks whether somebody may still take the address back.
    index('email_tokens_undo').on(sql`lower(${table.email})`).where(sql`${table.purpose} = 'UNDO_EMAIL_CHANGE'`),
    check('email_tokens_one_owner', sql`num_nonnulls(${table.userId}, ${table.adminId}, ${table.staffId}) = 1`),
    check('email_tokens_end', sql`num_nonnulls(${table.usedAt}, ${table.voidedAt}) <= 1`),
  ],
);

/** Twelve issued words, hashed like a password; a new phrase replaces the old one. */
export const recoveryPhrases = pgTable('recovery_phrases', {
  userId: uuid('user_id')
    .primaryKey()
    .references(() => users.id, { onDelete: 'cascade' }),
  phraseHash: text('phrase_hash').notNull(),
  createdAt: createdAt(),
});

/** A person's own keys. Only the SHA-256 is kept; `start` is what lists show. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    keyHash: text('key_hash').notNull(),
    start: text('start').notNull(),
    scopes: text('scopes').array().notNull(),
    /** CIDRs the key may be used from; empty means anywhere. */
    ipAllowList: text('ip_allow_list').array().notNull(),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
    lastUsedAt: moment('last_used_at'),
    revokedAt: moment('revoked_at'),
    /** The key this one took over from. */
    rotatedFrom: uuid('rotated_from'),
  },
  (table) => [
    uniqueIndex('api_keys_hash').on(table.keyHash),
    index('api_keys_user').on(table.userId, table.createdAt, table.id),
  ],
);

/**
 * Wrong passwords, phrases and the like, counted where a restart cannot forget them. The key is the
 * account's id when there is one, else an HMAC of what was typed, so that both behave alike.
 */
export const loginFailures = pgTable(
  'login_failures',
  {
    key: text('key').primaryKey(),
    failures: integer('failures').notNull(),
    firstAt: moment('first_at').notNull(),
    lastAt: moment('last_at').notNull(),
    /** No attempt is looked at before this moment. */
    blockedUntil: moment('blocked_until'),
  },
  (table) => [index('login_failures_last_at').on(table.lastAt)],
);

/** Keys that sign access tokens. `NEXT` is published before it signs, `PREVIOUS` verifies until its tokens are gone. */
export const signingKeys = pgTable(
  'signing_keys',
  {
    /** RFC 7638 thumbprint; the `kid` header. */
    kid: text('kid').primaryKey(),
    algorithm: text('algorithm').notNull(),
    state: text('state', { enum: ['NEXT', 'CURRENT', 'PREVIOUS', 'RETIRED'] }).notNull(),
    publicJwk: text('public_jwk').notNull(),
    /** The private JWK, sealed with the encryption key. */
    sealedPrivateJwk: text('sealed_private_jwk').notNull(),
    createdAt: createdAt(),
    retiredAt: moment('retired_at'),
  },
  (table) => [
    uniqueIndex('signing_keys_one_current').on(table.state).where(sql`${table.state} = 'CURRENT'`),
    check('signing_keys_state', sql`${table.state} in ('NEXT', 'CURRENT', 'PREVIOUS', 'RETIRED')`),
  ],
);

const owners = () => ({
  userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
  adminId: uuid('admin_id').references(() => admins.id, { onDelete: 'cascade' }),
  staffId: uuid('staff_id').references(() => staffMembers.id, { onDelete: 'cascade' }),
});

/** RFC 6238. Counts once confirmed by one accepted code; `last_step` makes every code count once. */
export const totpFactors = pgTable(
  'totp_factors',
  {
    id: id(),
    ...owners(),
    sealedSecret: text('sealed_secret').notNull(),
    createdAt: createdAt(),
    confirmedAt: moment('confirmed_at'),
    lastStep: bigint('last_step', { mode: 'number' }).notNull().default(0),
  },
  (table) => [
    uniqueIndex('totp_factors_user').on(table.userId),
    uniqueIndex('totp_factors_admin').on(table.adminId),
    uniqueIndex('totp_factors_staff').on(table.staffId),
    check('totp_factors_one_owner', sql`num_nonnulls(${table.userId}, ${table.adminId}, ${table.staffId}) = 1`),
  ],
);

/** Hash only; each works once. */
export const backupCodes = pgTable(
  'backup_codes',
  { id: id(), ...owners(), codeHash: text('code_hash').notNull(), createdAt: createdAt(), usedAt: moment('used_at') },
  (table) => [
    index('backup_codes_user').on(table.userId),
    index('backup_codes_admin').on(table.adminId),
    index('backup_codes_staff').on(table.staffId),
    check('backup_codes_one_owner', sql`num_nonnulls(${table.userId}, ${table.adminId}, ${table.staffId}) = 1`),
  ],
);

/** Between the right password (or the provider's word) and the second factor. Hash only, five minutes, one use. */
export const secondFactorChallenges = pgTable(
  'second_factor_challenges',
  {
    id: id(),
    ...owners(),
    tokenHash: text('token_hash').notNull(),
    /** What was proven before it, which is what the session will say. */
    method: text('method', { enum: ['PASSWORD', 'GOOGLE'] })
      .notNull()
      .default('PASSWORD'),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
    attempts: integer('attempts').notNull().default(0),
    usedAt: moment('used_at'),
  },
  (table) => [
    uniqueIndex('second_factor_challenges_hash').on(table.tokenHash),
    index('second_factor_challenges_expires_at').on(table.expiresAt),
    check('second_factor_challenges_method', sql`${table.method} in ('PASSWORD', 'GOOGLE')`),
    check(
      'second_factor_challenges_one_owner',
      sql`num_nonnulls(${table.userId}, ${table.adminId}, ${table.staffId}) = 1`,
    ),
  ],
);

export type UserRow = typeof users.$inferSelect;
export type SessionRow = typeof sessions.$inferSelect;
export type ApiKeyRow = typeof apiKeys.$inferSelect;
export type EmailTokenPurpose = (typeof EMAIL_TOKEN_PURPOSES)[number];
