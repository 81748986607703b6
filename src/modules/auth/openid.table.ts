import { sql } from 'drizzle-orm';
import { check, index, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { createdAt, id, moment } from '../../core/columns.js';
import { sessions, users } from './auth.table.js';

/**
 * Who somebody is at an OpenID provider. The issuer and the subject are the identity: the address is what the provider
 * last said, for showing only, since providers give addresses to other people (O7).
 */
export const linkedAccounts = pgTable(
  'linked_accounts',
  {
    id: id(),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    email: text('email'),
    createdAt: createdAt(),
    lastUsedAt: moment('last_used_at'),
  },
  (table) => [
    uniqueIndex('linked_accounts_identity').on(table.issuer, table.subject),
    index('linked_accounts_user').on(table.userId, table.createdAt, table.id),
  ],
);

/**
 * A way to the provider and back that somebody has begun: ten minutes, one use, which takes the row away. `HANDOVER` is
 * its last step, from the callback door to the app: two minutes, one use, and what the provider said is sealed in it.
 */
export const oauthStates = pgTable(
  'oauth_states',
  {
    id: id(),
    purpose: text('purpose', { enum: ['SIGN_IN', 'LINK', 'HANDOVER'] }).notNull(),
    /** SHA-256 of the `state` parameter, or of the one-time code. */
    stateHash: text('state_hash').notNull(),
    /** SHA-256 (base64url) of the secret that only the browser which began it has. */
    browserHash: text('browser_hash').notNull(),
    /** The provider it was begun with: another one's answer is refused (O11). */
    issuer: text('issuer').notNull(),
    redirectUri: text('redirect_uri').notNull(),
    /** What `HANDOVER` will be bound to, when the app holds the secret instead of a cookie. */
    challenge: text('challenge'),
    /** Where the browser goes after the callback door. */
    returnUrl: text('return_url'),
    /** State, nonce, PKCE verifier and wishes for a new account; or what the provider said. */
    sealedPayload: text('sealed_payload').notNull(),
    /** Of `LINK`: who links, and the session they began it with. */
    userId: uuid('user_id').references(() => users.id, { onDelete: 'cascade' }),
    sessionId: uuid('session_id').references(() => sessions.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
  },
  (table) => [
    uniqueIndex('oauth_states_hash').on(table.stateHash),
    index('oauth_states_expires_at').on(table.expiresAt),
    index('oauth_states_user').on(table.userId).where(sql`${table.userId} is not null`),
    index('oauth_states_session').on(table.sessionId).where(sql`${table.sessionId} is not null`),
    check('oauth_states_purpose', sql`${table.purpose} in ('SIGN_IN', 'LINK', 'HANDOVER')`),
    check(
      'oauth_states_session',
      sql`num_nonnulls(${table.userId}, ${table.sessionId}) = case when ${table.purpose} = 'LINK' then 2 else 0 end`,
    ),
  ],
);

export type LinkedAccountRow = typeof linkedAccounts.$inferSelect;
export type OauthStateRow = typeof oauthStates.$inferSelect;
