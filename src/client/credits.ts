import type { CallOptions } from './attempts.js';
import type { Calls, Keyed } from './calls.js';

/** What a person has. */
export interface CreditAccount {
  /** What can be spent: `balance` less `held`. */
  available: number;
  /** All credits, those held among them. */
  balance: number;
  /** Set aside by live holds. */
  held: number;
}

export type CreditTransactionKind =
  | 'ADJUSTMENT'
  | 'CAPTURE'
  | 'CLAWBACK'
  | 'EXPIRY'
  | 'GRANT'
  | 'PLAN_GRANT'
  | 'PURCHASE'
  | 'REFUND'
  | 'USE';

/** One line of the history. Moments are ISO 8601 texts, as the API gives them. */
export interface CreditTransaction {
  id: string;
  kind: CreditTransactionKind;
  /** Positive in, negative out. */
  amount: number;
  balanceAfter: number;
  createdAt: string;
  description: string | null;
  /** The hold that a CAPTURE ended. */
  holdId: string | null;
  metadata: Record<string, unknown> | null;
  referenceId: string | null;
  referenceType: string | null;
  /** The transaction that a REFUND gives back. */
  refundsTransactionId: string | null;
  /** 1, 2, 3 … in each account, without gaps. */
  version: number;
}

export interface CreditHold {
  id: string;
  amount: number;
  /** What was spent of it; the rest went back. Null until captured. */
  capturedAmount: number | null;
  createdAt: string;
  description: string | null;
  expiresAt: string;
  referenceId: string | null;
  referenceType: string | null;
  resolvedAt: string | null;
  status: 'ACTIVE' | 'CAPTURED' | 'EXPIRED' | 'RELEASED';
}

export interface CreditMovement {
  transaction: CreditTransaction;
  /** As the movement left it. */
  account: CreditAccount;
  /** True when this is the first answer again and nothing was done now. */
  replayed: boolean;
}

export interface CreditHoldChange {
  hold: CreditHold;
  account: CreditAccount;
  replayed: boolean;
}

export interface CreditCapture extends CreditMovement {
  hold: CreditHold;
}

export interface CreditTransactionPage {
  /** Newest first. */
  nodes: CreditTransaction[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
  totalCount: number;
}

interface Described {
  /** For people: what it was for. At most 500 characters. */
  description?: string | undefined;
  /** For machines: at most 10 KB. */
  metadata?: Record<string, unknown> | undefined;
}

interface Referenced {
  /** What kind of thing it was for: `message`, `order`. At most 100 characters. */
  referenceType?: string | undefined;
  /** Which one. At most 255 characters. */
  referenceId?: string | undefined;
}

/** `amount`: a whole number, 1 to 1,000,000,000. */
export interface CreditMovementInput extends Keyed, Described, Referenced {
  userId: string;
  amount: number;
}

/** `transactionId`: a USE or a CAPTURE. `amount`: all that is left of it when absent. */
export interface RefundCreditsInput extends Keyed, Described {
  transactionId: string;
  amount?: number | undefined;
}

/** `ttlSeconds`: after how long it lets go by itself, 1 to 86,400; 900 when absent. */
export interface HoldCreditsInput extends Keyed, Referenced {
  userId: string;
  amount: number;
  description?: string | undefined;
  ttlSeconds?: number | undefined;
}

/** `amount`: at most what is held; all of it when absent. */
export interface CaptureCreditsInput extends Keyed, Described {
  holdId: string;
  amount?: number | undefined;
}

export interface ReleaseCreditsInput extends Keyed {
  holdId: string;
}

export interface CreditsCalls {
  /** Scope `credits:read`. */
  creditBalance(userId: string, options?: CallOptions): Promise<CreditAccount>;
  /** A page of the history; `after` is the `endCursor` of the page before. Scope `credits:read`. */
  creditTransactions(
    page: { userId: string; first?: number | undefined; after?: string | undefined },
    options?: CallOptions,
  ): Promise<CreditTransactionPage>;
  /** Spends what is there and not held; never below zero (INSUFFICIENT_CREDITS). Scope `credits:use`. */
  useCredits(input: CreditMovementInput, options?: CallOptions): Promise<CreditMovement>;
  /** Scope `credits:grant`. */
  addCredits(input: CreditMovementInput, options?: CallOptions): Promise<CreditMovement>;
  /** Gives back what a USE or a CAPTURE took, wholly or in parts. Scope `credits:grant`. */
  refundCredits(input: RefundCreditsInput, options?: CallOptions): Promise<CreditMovement>;
  /** Sets credits aside until they are captured, released, or the time is over. Scope `credits:use`. */
  holdCredits(input: HoldCreditsInput, options?: CallOptions): Promise<CreditHoldChange>;
  /** Spends what this service held, or a part; the rest goes back. Scope `credits:use`. */
  captureCredits(input: CaptureCreditsInput, options?: CallOptions): Promise<CreditCapture>;
  /** Lets go of what this service held. Scope `credits:use`. */
  releaseCredits(input: ReleaseCreditsInput, options?: CallOptions): Promise<CreditHoldChange>;
}

const ACCOUNT = '{ available balance held }';
const TRANSACTION = `{ id kind amount balanceAfter createdAt description holdId metadata referenceId referenceType
  refundsTransactionId version }`;
const HOLD = `{ id amount capturedAmount createdAt description expiresAt referenceId referenceType resolvedAt status }`;
const MOVEMENT = `{ transaction ${TRANSACTION} account ${ACCOUNT} replayed }`;
const HOLD_CHANGE = `{ hold ${HOLD} account ${ACCOUNT} replayed }`;
const CAPTURE = `{ hold ${HOLD} transaction ${TRANSACTION} account ${ACCOUNT} replayed }`;

const CREDIT_BALANCE = {
  name: 'creditBalance',
  parameters: '($userId: ID!)',
  arguments: '(userId: $userId)',
  selection: ACCOUNT,
};
const CREDIT_TRANSACTIONS = {
  name: 'creditTransactions',
  parameters: '($userId: ID!, $first: Int, $after: String)',
  arguments: '(userId: $userId, first: $first, after: $after)',
  selection: `{ nodes ${TRANSACTION} pageInfo { hasNextPage endCursor } totalCount }`,
};
const USE_CREDITS = { name: 'useCredits', input: 'UseCreditsInput', selection: MOVEMENT };
const ADD_CREDITS = { name: 'addCredits', input: 'AddCreditsInput', selection: MOVEMENT };
const REFUND_CREDITS = { name: 'refundCredits', input: 'RefundCreditsInput', selection: MOVEMENT };
const HOLD_CREDITS = { name: 'holdCredits', input: 'HoldCreditsInput', selection: HOLD_CHANGE };
const CAPTURE_CREDITS = { name: 'captureCredits', input: 'CaptureCreditsInput', selection: CAPTURE };
const RELEASE_CREDITS = { name: 'releaseCredits', input: 'ReleaseCreditsInput', selection: HOLD_CHANGE };

export function createCreditsCalls(calls: Calls): CreditsCalls {
  return {
    creditBalance: (userId, options) => calls.query(CREDIT_BALANCE, { userId }, options),
    creditTransactions: (page, options) => calls.query(CREDIT_TRANSACTIONS, page, options),
    useCredits: (input, options) => calls.keyed(USE_CREDITS, input, options),
    addCredits: (input, options) => calls.keyed(ADD_CREDITS, input, options),
    refundCredits: (input, options) => calls.keyed(REFUND_CREDITS, input, options),
    holdCredits: (input, options) => calls.keyed(HOLD_CREDITS, input, options),
    captureCredits: (input, options) => calls.keyed(CAPTURE_CREDITS, input, options),
    releaseCredits: (input, options) => calls.keyed(RELEASE_CREDITS, input, options),
  };
}
