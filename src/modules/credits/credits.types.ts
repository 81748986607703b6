import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { connectionType } from '../../core/pages.types.js';
import { DateTime, JSONObject, SafeInt } from '../../core/scalars.types.js';

const TransactionKind = {
  PURCHASE: 'PURCHASE',
  GRANT: 'GRANT',
  PLAN_GRANT: 'PLAN_GRANT',
  USE: 'USE',
  CAPTURE: 'CAPTURE',
  REFUND: 'REFUND',
  ADJUSTMENT: 'ADJUSTMENT',
  CLAWBACK: 'CLAWBACK',
  EXPIRY: 'EXPIRY',
} as const;
registerEnumType(TransactionKind, { name: 'CreditTransactionKind' });

const HoldStatus = { ACTIVE: 'ACTIVE', CAPTURED: 'CAPTURED', RELEASED: 'RELEASED', EXPIRED: 'EXPIRED' } as const;
registerEnumType(HoldStatus, { name: 'CreditHoldStatus' });

@ObjectType('CreditAccount', { simpleResolvers: true, description: 'What a person has.' })
export class CreditAccount {
  /** Not a field: whose account it is. */
  userId!: string;

  @Field(() => SafeInt, { description: 'All credits, those held among them.' })
  balance!: number;

  @Field(() => SafeInt, { description: 'Set aside by live holds.' })
  held!: number;

  @Field(() => SafeInt, { description: 'What can be spent: `balance` less `held`.' })
  available!: number;
}

@ObjectType('CreditTransaction', {
  simpleResolvers: true,
  description: 'One row of the ledger. Nothing ever changes it.',
})
export class CreditTransaction {
  @Field(() => ID)
  id!: string;

  @Field(() => SafeInt, { description: '1, 2, 3 … in each account, without gaps.' })
  version!: number;

  @Field(() => TransactionKind)
  kind!: keyof typeof TransactionKind;

  @Field(() => SafeInt, { description: 'Positive in, negative out.' })
  amount!: number;

  @Field(() => SafeInt)
  balanceAfter!: number;

  @Field(() => String, { nullable: true })
  description!: string | null;

  @Field(() => String, { nullable: true })
  referenceType!: string | null;

  @Field(() => String, { nullable: true })
  referenceId!: string | null;

  @Field(() => JSONObject, { nullable: true })
  metadata!: Record<string, unknown> | null;

  @Field(() => ID, { nullable: true, description: 'The hold that a CAPTURE ended.' })
  holdId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The transaction that a REFUND gives back.' })
  refundsTransactionId!: string | null;

  @Field(() => DateTime)
  createdAt!: Date;
}

export const CreditTransactionConnection = connectionType('CreditTransaction', () => CreditTransaction);

@ObjectType('CreditHold', { simpleResolvers: true, description: 'Credits set aside while a service works.' })
export class CreditHold {
  @Field(() => ID)
  id!: string;

  @Field(() => SafeInt)
  amount!: number;

  @Field(() => SafeInt, {
    nullable: true,
    description: 'What was spent of it; the rest went back. Null until captured.',
  })
  capturedAmount!: number | null;

  @Field(() => HoldStatus)
  status!: keyof typeof HoldStatus;

  @Field(() => DateTime)
  expiresAt!: Date;

  @Field(() => String, { nullable: true })
  description!: string | null;

  @Field(() => String, { nullable: true })
  referenceType!: string | null;

  @Field(() => String, { nullable: true })
  referenceId!: string | null;

  @Field(() => DateTime)
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true })
  resolvedAt!: Date | null;
}

const REPLAYED = 'True when this is the first answer again and nothing was done now.';

@ObjectType('CreditMovement', { simpleResolvers: true })
export class CreditMovement {
  @Field(() => CreditTransaction)
  transaction!: CreditTransaction;

  @Field(() => CreditAccount, { description: 'As the movement left it.' })
  account!: CreditAccount;

  @Field(() => Boolean, { description: REPLAYED })
  replayed!: boolean;
}

@ObjectType('CreditHoldChange', { simpleResolvers: true })
export class CreditHoldChange {
  @Field(() => CreditHold)
  hold!: CreditHold;

  @Field(() => CreditAccount, { description: 'As the hold or its release left it.' })
  account!: CreditAccount;

  @Field(() => Boolean, { description: REPLAYED })
  replayed!: boolean;
}

@ObjectType('CreditCapture', { simpleResolvers: true })
export class CreditCapture {
  @Field(() => CreditHold)
  hold!: CreditHold;

  @Field(() => CreditTransaction)
  transaction!: CreditTransaction;

  @Field(() => CreditAccount, { description: 'As the capture left it.' })
  account!: CreditAccount;

  @Field(() => Boolean, { description: REPLAYED })
  replayed!: boolean;
}

@ObjectType('BrokenCreditAccount', { simpleResolvers: true, description: 'An account whose books do not agree.' })
export class BrokenCreditAccount {
  @Field(() => ID)
  userId!: string;

  @Field(() => [String], { description: 'One sentence for each thing that is wrong.' })
  problems!: string[];
}

@ObjectType('LedgerHealth', { simpleResolvers: true, description: 'The books, added up anew.' })
export class LedgerHealth {
  @Field(() => Boolean)
  ok!: boolean;

  @Field(() => DateTime)
  checkedAt!: Date;

  @Field(() => SafeInt)
  accounts!: number;

  @Field(() => SafeInt)
  transactions!: number;

  @Field(() => SafeInt, { description: 'Holds that are live.' })
  holds!: number;

  @Field(() => SafeInt, { description: 'How many accounts are broken.' })
  brokenAccounts!: number;

  @Field(() => [BrokenCreditAccount], { description: 'The first twenty of them.' })
  broken!: BrokenCreditAccount[];
}

const AMOUNT = 'A whole number, 1 to 1,000,000,000.';
const KEY =
  '1 to 255 characters. The same key with the same input answers the first result again; a refusal leaves the key unused.';

@InputType('CreditParticularsInput')
class Particulars {
  @Field(() => String, { nullable: true, description: 'For people: what it was for. At most 500 characters.' })
  description?: string | null;

  @Field(() => JSONObject, { nullable: true, description: 'For machines: at most 10 KB.' })
  metadata?: Record<string, unknown> | null;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('CreditMovementInput')
class Movement extends Particulars {
  @Field(() => ID)
  userId!: string;

  @Field(() => SafeInt, { description: AMOUNT })
  amount!: number;

  @Field(() => String, {
    nullable: true,
    description: 'What kind of thing it was for: `message`, `order`. At most 100 characters.',
  })
  referenceType?: string | null;

  @Field(() => String, { nullable: true, description: 'Which one. At most 255 characters.' })
  referenceId?: string | null;
}

@InputType('AddCreditsInput')
export class AddCreditsInput extends Movement {}

@InputType('UseCreditsInput')
export class UseCreditsInput extends Movement {}

@InputType('HoldCreditsInput')
export class HoldCreditsInput {
  @Field(() => ID)
  userId!: string;

  @Field(() => SafeInt, { description: AMOUNT })
  amount!: number;

  @Field(() => SafeInt, {
    nullable: true,
    defaultValue: 900,
    description: 'After how long it lets go by itself: 1 to 86,400 seconds.',
  })
  ttlSeconds?: number | null;

  @Field(() => String, { nullable: true, description: 'For people: what it is for. At most 500 characters.' })
  description?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 100 characters.' })
  referenceType?: string | null;

  @Field(() => String, { nullable: true, description: 'At most 255 characters.' })
  referenceId?: string | null;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('CaptureCreditsInput')
export class CaptureCreditsInput extends Particulars {
  @Field(() => ID)
  holdId!: string;

  @Field(() => SafeInt, { nullable: true, description: `${AMOUNT} At most what is held; all of it when absent.` })
  amount?: number | null;
}

@InputType('ReleaseCreditsInput')
export class ReleaseCreditsInput {
  @Field(() => ID)
  holdId!: string;

  @Field(() => String, { description: KEY })
  idempotencyKey!: string;
}

@InputType('RefundCreditsInput')
export class RefundCreditsInput extends Particulars {
  @Field(() => ID, { description: 'A USE or a CAPTURE.' })
  transactionId!: string;

  @Field(() => SafeInt, {
    nullable: true,
    description: `${AMOUNT} At most what is left of it; all of that when absent.`,
  })
  amount?: number | null;
}
