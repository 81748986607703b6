import { badInput } from '../../core/errors.js';
import type { Particulars } from './ledger-rows.js';

const LARGEST_AMOUNT = 1_000_000_000;
const LONGEST_KEY = 255;
const LARGEST_METADATA = 10_240;
const LONGEST_HOLD = 86_400;

interface MovementInput extends Particulars {
  idempotencyKey: string;
  /** Null where the operation knows what is left. */
  amount?: number | null | undefined;
  ttlSeconds?: number | undefined;
}

/**
 * Whether the ledger may be asked: whole amounts of 1 to 10^9 (C3), a key, texts that PostgreSQL can hold and nobody
 * can fill the disk with. All problems at once.
 *
 * @throws BAD_USER_INPUT
 */
export function requireMovement(input: MovementInput): void {
  const { amount, ttlSeconds } = input;
  const problems: Record<string, string | undefined> = {
    amount:
      amount == null || isWhole(amount, LARGEST_AMOUNT) ? undefined : `must be a whole number, 1 to ${LARGEST_AMOUNT}`,
    ttlSeconds:
      ttlSeconds === undefined || isWhole(ttlSeconds, LONGEST_HOLD) ? undefined : `must be 1 to ${LONGEST_HOLD}`,
    idempotencyKey:
      input.idempotencyKey === '' ? 'must not be empty' : problemOfText(input.idempotencyKey, LONGEST_KEY),
    description: problemOfText(input.description, 500),
    referenceType: problemOfText(input.referenceType, 100),
    referenceId: problemOfText(input.referenceId, 255),
    metadata: problemOfMetadata(input.metadata),
  };
  const fields = Object.entries(problems).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (fields.length > 0) throw badInput(Object.fromEntries(fields));
}

function isWhole(value: number, largest: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= largest;
}

const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0');

function problemOfText(text: string | null | undefined, longest: number): string | undefined {
  if (text == null) return undefined;
  if (text.length > longest) return `must have at most ${longest} characters`;
  return isStorable(text) ? undefined : 'must be well-formed text without NUL';
}

function problemOfMetadata(metadata: Record<string, unknown> | null | undefined): string | undefined {
  if (metadata == null) return undefined;
  let fits = true;
  const json = JSON.stringify(metadata, (name, value) => {
    fits &&= isStorable(name) && (typeof value !== 'string' || isStorable(value));
    return value;
  });
  if (!fits) return 'must hold well-formed text without NUL';
  return Buffer.byteLength(json) > LARGEST_METADATA ? `must have at most ${LARGEST_METADATA} bytes` : undefined;
}
