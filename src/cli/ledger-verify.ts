import type { App } from '../core/context.js';
import type { BrokenAccount } from '../modules/credits/health.service.js';
import { countCreditAccounts, type LedgerProof, verifyLedger } from '../modules/credits/verification.service.js';
import { withApp } from './opening.js';
import type { Outcome } from './run.js';
import type { Ui } from './ui.js';

/** So many broken accounts are named; all are counted. */
const NAMED = 1_000;

/** All books of the ledger added up anew, on the configured database; needs no running server. */
export async function ledgerVerify(_options: object, ui: Ui): Promise<Outcome> {
  return withApp((app) => checkLedger(app, ui));
}

export async function checkLedger(app: App, ui: Ui): Promise<Outcome> {
  const broken: BrokenAccount[] = [];
  const progress = ui.progress('Ledger', { total: await countCreditAccounts(app), unit: 'accounts' });
  try {
    const proof = await verifyLedger(app, {
      onAccounts(accounts) {
        progress.reached(accounts);
        ui.checkpoint(`${accounts} accounts were looked at; nothing was changed.`);
      },
      onBroken: (account) => void (broken.length < NAMED && broken.push(account)),
    });
    return { ok: proof.ok, result: { ...proof, broken }, text: inWords(proof, broken) };
  } finally {
    progress.stop();
  }
}

function inWords(proof: LedgerProof, broken: readonly BrokenAccount[]): string {
  const { accounts, transactions, holds, brokenAccounts, repeatedKeys } = proof;
  const looked = `${accounts} accounts, ${transactions} transactions, ${holds} live holds`;
  if (proof.ok) return `The ledger adds up: ${looked}.`;
  return [
    `The ledger is BROKEN: ${looked}; ${brokenAccounts} accounts are wrong, ${repeatedKeys} idempotency keys repeat.`,
    ...broken.map(({ userId, problems }) => `  ${userId}: ${problems.join('; ')}`),
    ...(brokenAccounts > broken.length ? [`  and ${brokenAccounts - broken.length} more`] : []),
  ].join('\n');
}
