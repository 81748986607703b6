// What is held about a person, column by column, and what becomes of it. `exportMyData` reads this page, so that what it
// calls EXPORT is in the document; `tests/house/privacy.test.ts` compares it with the database, so that no migration adds
// a column that is not on it, and looks through every table for somebody who was erased.
import { auditEvents } from '../audit/audit.table.js';
import { activeDays } from '../auth/activity.table.js';
import {
  apiKeys,
  backupCodes,
  emailTokens,
  loginFailures,
  recoveryPhrases,
  secondFactorChallenges,
  sessions,
  totpFactors,
  users,
} from '../auth/auth.table.js';
import { linkedAccounts, oauthStates } from '../auth/openid.table.js';
import { creditAccounts, creditHolds, creditTransactions } from '../credits/credits.table.js';
import { dataKeys } from '../data-keys/data-keys.table.js';
import { outboxEvents } from '../events/events.table.js';
import { storedFiles } from '../files/files.table.js';
import { outboxEmails } from '../mail/mail.table.js';
import { messageLogs } from '../messages/messages.table.js';
import {
  billingCustomers,
  billingOrders,
  paymentReversals,
  payments,
  subscriptions,
} from '../payments/payments.table.js';
import { userNotes } from '../staff/user-notes.table.js';
import { usageCounters } from '../usage/usage.table.js';
import { deletedUsers } from './privacy.table.js';

/** What becomes of a column when the person is erased. */
export type AtErasure =
  /** The value is gone. */
  | 'ERASE'
  /** Something that says nothing about the person takes its place. */
  | 'PSEUDONYMISE'
  /** Stays, for the reason given. */
  | 'KEEP';

export interface ColumnPolicy {
  /** Whether `exportMyData` shows it. */
  readonly exported: boolean;
  readonly atErasure: AtErasure;
  readonly why?: string;
}

export interface HeldTable {
  /** A Drizzle table. */
  readonly table: object;
  /** Its name in the export; undefined: nothing of it is exported. */
  readonly section: string | undefined;
  /** The column that says whose it is. */
  readonly owner: string;
  readonly columns: Readonly<Record<string, ColumnPolicy>>;
}

const SHOWN_ERASED: ColumnPolicy = { exported: true, atErasure: 'ERASE' };
const SHOWN_REPLACED: ColumnPolicy = { exported: true, atErasure: 'PSEUDONYMISE' };
const ERASED: ColumnPolicy = { exported: false, atErasure: 'ERASE' };
const REPLACED: ColumnPolicy = { exported: false, atErasure: 'PSEUDONYMISE' };
const shownKept = (why: string): ColumnPolicy => ({ exported: true, atErasure: 'KEEP', why });
const kept = (why: string): ColumnPolicy => ({ exported: false, atErasure: 'KEEP', why });

/** The id alone names nobody once the row in `users` is blank. */
const OWNER = kept('an id that is nobody’s name');
const BOOKS = shownKept('the books have to be kept, and say no name');
const PROOF = shownKept('proof of what was done, under an id that is nobody’s name');
const OPERATOR = kept('which operator did it is theirs to answer for');
const EVENT = kept('ids, states and numbers for other systems, never a name; gone after EVENT_RETENTION_DAYS');

/** Checked by the compiler: every column of the table has to be named. */
function held<Row>(
  table: { readonly $inferSelect: Row },
  entry: {
    section?: string;
    owner: keyof Row & string;
    columns: { readonly [Column in keyof Row & string]: ColumnPolicy };
  },
): HeldTable {
  return { table, section: entry.section, owner: entry.owner, columns: entry.columns };
}

/** Columns of a secret's owner: a person, or an operator who is none of this page's business. */
const ONE_OF_THREE = { userId: ERASED, adminId: kept('not of a person'), staffId: kept('not of a person') };

export const PRIVACY_MAP: readonly HeldTable[] = [
  held(users, {
    section: 'profile',
    owner: 'id',
    columns: {
      id: shownKept('an id that is nobody’s name'),
      username: SHOWN_REPLACED,
      usernameKey: REPLACED,
      email: SHOWN_REPLACED,
      emailKey: REPLACED,
      emailVerifiedAt: SHOWN_ERASED,
      passwordHash: ERASED,
      displayName: SHOWN_ERASED,
      locale: SHOWN_REPLACED,
      timeZone: SHOWN_REPLACED,
      avatarUrl: SHOWN_ERASED,
      planCode: SHOWN_REPLACED,
      conversationsPerDay: SHOWN_ERASED,
      messagesPerDay: SHOWN_ERASED,
      status: SHOWN_REPLACED,
      suspendedAt: SHOWN_ERASED,
      suspendedUntil: SHOWN_ERASED,
      suspensionReason: SHOWN_ERASED,
      deletedAt: kept('when the account ended'),
      createdAt: shownKept('for statistics; says nothing about who it was'),
      updatedAt: shownKept('when the account ended'),
      lastLoginAt: SHOWN_ERASED,
    },
  }),
  held(sessions, {
    section: 'sessions',
    owner: 'userId',
    columns: {
      id: PROOF,
      userId: OWNER,
      adminId: kept('not of a person'),
      staffId: kept('not of a person'),
      method: PROOF,
      refreshHash: kept('the hash of a token that has ended'),
      previousHash: kept('the hash of a token that has ended'),
      rotatedAt: PROOF,
      createdAt: PROOF,
      lastUsedAt: PROOF,
      authenticatedAt: PROOF,
      expiresAt: PROOF,
      endsAt: PROOF,
      ip: SHOWN_ERASED,
      userAgent: SHOWN_ERASED,
      revokedAt: PROOF,
      revokedReason: PROOF,
      impersonatorId: OPERATOR,
      impersonationReason: SHOWN_ERASED,
      readOnly: PROOF,
    },
  }),
  held(emailTokens, {
    section: 'letterLinks',
    owner: 'userId',
    columns: {
      id: ERASED,
      purpose: SHOWN_ERASED,
      tokenHash: ERASED,
      ...ONE_OF_THREE,
      email: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
      expiresAt: SHOWN_ERASED,
      usedAt: SHOWN_ERASED,
      voidedAt: SHOWN_ERASED,
    },
  }),
  held(recoveryPhrases, {
    section: 'recoveryPhrase',
    owner: 'userId',
    columns: { userId: ERASED, phraseHash: ERASED, createdAt: SHOWN_ERASED },
  }),
  held(totpFactors, {
    section: 'authenticatorApp',
    owner: 'userId',
    columns: {
      id: ERASED,
      ...ONE_OF_THREE,
      sealedSecret: ERASED,
      createdAt: SHOWN_ERASED,
      confirmedAt: SHOWN_ERASED,
      lastStep: ERASED,
    },
  }),
  held(backupCodes, {
    section: 'backupCodes',
    owner: 'userId',
    columns: { id: ERASED, ...ONE_OF_THREE, codeHash: ERASED, createdAt: SHOWN_ERASED, usedAt: SHOWN_ERASED },
  }),
  held(secondFactorChallenges, {
    owner: 'userId',
    columns: {
      id: ERASED,
      ...ONE_OF_THREE,
      tokenHash: ERASED,
      method: ERASED,
      createdAt: ERASED,
      expiresAt: ERASED,
      attempts: ERASED,
      usedAt: ERASED,
    },
  }),
  held(linkedAccounts, {
    section: 'linkedAccounts',
    owner: 'userId',
    columns: {
      id: SHOWN_ERASED,
      userId: ERASED,
      issuer: SHOWN_ERASED,
      subject: SHOWN_ERASED,
      email: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
      lastUsedAt: SHOWN_ERASED,
    },
  }),
  held(oauthStates, {
    owner: 'userId',
    columns: {
      id: ERASED,
      purpose: ERASED,
      stateHash: ERASED,
      browserHash: ERASED,
      issuer: ERASED,
      redirectUri: ERASED,
      challenge: ERASED,
      returnUrl: ERASED,
      sealedPayload: ERASED,
      userId: ERASED,
      sessionId: ERASED,
      createdAt: ERASED,
      expiresAt: ERASED,
    },
  }),
  held(loginFailures, {
    section: 'wrongSignIns',
    owner: 'key',
    columns: {
      key: ERASED,
      failures: SHOWN_ERASED,
      firstAt: SHOWN_ERASED,
      lastAt: SHOWN_ERASED,
      blockedUntil: SHOWN_ERASED,
    },
  }),
  held(apiKeys, {
    section: 'apiKeys',
    owner: 'userId',
    columns: {
      id: SHOWN_ERASED,
      userId: ERASED,
      name: SHOWN_ERASED,
      keyHash: ERASED,
      start: SHOWN_ERASED,
      scopes: SHOWN_ERASED,
      ipAllowList: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
      expiresAt: SHOWN_ERASED,
      lastUsedAt: SHOWN_ERASED,
      revokedAt: SHOWN_ERASED,
      rotatedFrom: SHOWN_ERASED,
    },
  }),
  held(dataKeys, {
    owner: 'userId',
    columns: {
      userId: OWNER,
      generation: kept('proof that there was a key'),
      sealedKey: ERASED,
      createdAt: kept('proof that there was a key'),
      supersededAt: kept('proof that there was a key'),
      destroyedAt: kept('proof that it was destroyed'),
    },
  }),
  held(deletedUsers, {
    owner: 'userId',
    columns: {
      userId: OWNER,
      sealedSnapshot: ERASED,
      deletedAt: kept('proof of the deletion'),
      deletedByKind: kept('proof of the deletion'),
      deletedById: OPERATOR,
      reason: ERASED,
      purgeAt: kept('proof of the deletion'),
      erasedAt: kept('proof of the erasure'),
    },
  }),
  held(messageLogs, {
    section: 'messages',
    owner: 'userId',
    columns: {
      id: SHOWN_ERASED,
      userId: ERASED,
      serviceId: SHOWN_ERASED,
      conversationId: SHOWN_ERASED,
      model: SHOWN_ERASED,
      sealedContent: { exported: true, atErasure: 'ERASE', why: 'exported opened, as `messages`' },
      inputTokens: SHOWN_ERASED,
      outputTokens: SHOWN_ERASED,
      messageCount: SHOWN_ERASED,
      occurredAt: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
    },
  }),
  held(userNotes, {
    section: 'notes',
    owner: 'userId',
    columns: {
      id: ERASED,
      userId: ERASED,
      authorKind: SHOWN_ERASED,
      authorId: ERASED,
      text: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
    },
  }),
  held(usageCounters, {
    section: 'usage',
    owner: 'userId',
    columns: { userId: ERASED, kind: SHOWN_ERASED, day: SHOWN_ERASED, used: SHOWN_ERASED },
  }),
  held(activeDays, {
    section: 'activeDays',
    owner: 'userId',
    columns: { day: SHOWN_ERASED, userId: ERASED },
  }),
  held(creditAccounts, {
    section: 'creditAccount',
    owner: 'userId',
    columns: { userId: OWNER, balance: BOOKS, held: BOOKS, version: BOOKS, updatedAt: BOOKS },
  }),
  held(creditTransactions, {
    section: 'creditTransactions',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      version: BOOKS,
      kind: BOOKS,
      amount: BOOKS,
      balanceAfter: BOOKS,
      holdId: BOOKS,
      refundsTransactionId: BOOKS,
      description: shownKept('what was bought; services are told to write no names here'),
      referenceType: BOOKS,
      referenceId: BOOKS,
      metadata: shownKept('what was bought; services are told to write no names here'),
      actorKind: BOOKS,
      actorId: OPERATOR,
      requestId: BOOKS,
      createdAt: BOOKS,
    },
  }),
  held(creditHolds, {
    section: 'creditHolds',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      ownerKind: BOOKS,
      ownerId: OPERATOR,
      amount: BOOKS,
      capturedAmount: BOOKS,
      status: BOOKS,
      expiresAt: BOOKS,
      description: shownKept('what was bought; services are told to write no names here'),
      referenceType: BOOKS,
      referenceId: BOOKS,
      createdAt: BOOKS,
      resolvedAt: BOOKS,
    },
  }),
  held(outboxEmails, {
    section: 'letters',
    owner: 'userId',
    columns: {
      id: ERASED,
      idempotencyKey: ERASED,
      kind: SHOWN_ERASED,
      recipient: SHOWN_ERASED,
      locale: SHOWN_ERASED,
      userId: ERASED,
      ipHash: ERASED,
      sealedBody: ERASED,
      status: SHOWN_ERASED,
      attempts: SHOWN_ERASED,
      nextAttemptAt: ERASED,
      lastError: ERASED,
      requestId: ERASED,
      createdAt: SHOWN_ERASED,
      sentAt: SHOWN_ERASED,
    },
  }),
  held(outboxEvents, {
    owner: 'userId',
    columns: {
      id: EVENT,
      kind: EVENT,
      userId: OWNER,
      data: EVENT,
      occurredAt: EVENT,
      spreadAt: EVENT,
    },
  }),
  held(storedFiles, {
    section: 'files',
    owner: 'userId',
    // At the erasure they end; a job deletes the objects, and the rows after them.
    columns: {
      id: SHOWN_ERASED,
      userId: ERASED,
      kind: SHOWN_ERASED,
      objectKey: ERASED,
      contentType: SHOWN_ERASED,
      sizeBytes: SHOWN_ERASED,
      createdAt: SHOWN_ERASED,
      storedAt: SHOWN_ERASED,
      usedAt: SHOWN_ERASED,
      expiresAt: SHOWN_ERASED,
    },
  }),
  held(billingCustomers, {
    section: 'billingCustomer',
    owner: 'userId',
    columns: {
      userId: OWNER,
      stripeCustomerId: { exported: true, atErasure: 'ERASE', why: 'as soon as Stripe has deleted the customer' },
      status: kept('proof that the customer was deleted at Stripe'),
      attempts: kept('how often Stripe was asked to'),
      nextAttemptAt: kept('when Stripe is asked to again'),
      createdAt: BOOKS,
    },
  }),
  held(billingOrders, {
    section: 'orders',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      scope: kept('tells repeated requests; ids only'),
      idempotencyKey: kept('tells repeated requests; chosen by the caller’s program'),
      fingerprint: kept('tells repeated requests'),
      kind: BOOKS,
      priceId: BOOKS,
      quantity: BOOKS,
      amountMinor: BOOKS,
      credits: BOOKS,
      status: BOOKS,
      stripeId: BOOKS,
      createdAt: BOOKS,
      updatedAt: BOOKS,
    },
  }),
  held(subscriptions, {
    section: 'subscriptions',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      stripeSubscriptionId: BOOKS,
      priceId: BOOKS,
      productId: BOOKS,
      status: BOOKS,
      planCode: BOOKS,
      currentPeriodStart: BOOKS,
      currentPeriodEnd: BOOKS,
      cancelAtPeriodEnd: BOOKS,
      nextPriceId: BOOKS,
      canceledAt: BOOKS,
      endedAt: BOOKS,
      createdAt: BOOKS,
      updatedAt: BOOKS,
      readNumber: kept('how new the row is; a number'),
    },
  }),
  held(payments, {
    section: 'payments',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      kind: BOOKS,
      stripeId: BOOKS,
      paymentIntentId: BOOKS,
      orderId: BOOKS,
      subscriptionId: BOOKS,
      productId: BOOKS,
      currency: BOOKS,
      amountMinor: BOOKS,
      reversedMinor: BOOKS,
      status: BOOKS,
      creditsGranted: BOOKS,
      failures: BOOKS,
      paidAt: BOOKS,
      createdAt: BOOKS,
      updatedAt: BOOKS,
      readNumber: kept('how new the row is; a number'),
      reversalsReadNumber: kept('how new the row is; a number'),
    },
  }),
  held(paymentReversals, {
    section: 'refundsAndDisputes',
    owner: 'userId',
    columns: {
      id: BOOKS,
      userId: OWNER,
      paymentId: BOOKS,
      kind: BOOKS,
      stripeId: BOOKS,
      stripeStatus: BOOKS,
      amountMinor: BOOKS,
      effective: BOOKS,
      creditsTaken: BOOKS,
      creditsOwed: BOOKS,
      movements: kept('numbers the ledger’s keys'),
      createdAt: BOOKS,
      updatedAt: BOOKS,
    },
  }),
  held(auditEvents, {
    section: 'securityHistory',
    owner: 'userId',
    columns: {
      id: PROOF,
      occurredAt: PROOF,
      actorKind: PROOF,
      actorId: OPERATOR,
      action: PROOF,
      targetKind: PROOF,
      targetId: PROOF,
      userId: OWNER,
      before: kept('which fields changed and states, never names or addresses'),
      after: kept('which fields changed and states, never names or addresses'),
      reason: PROOF,
      ip: shownKept('proof against misuse, under an id that is nobody’s name; exported where it is the person’s own'),
      userAgent: shownKept(
        'proof against misuse, under an id that is nobody’s name; exported where it is the person’s own',
      ),
      requestId: PROOF,
    },
  }),
];
