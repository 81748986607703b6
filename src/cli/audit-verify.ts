import type { App } from '../core/context.js';
import { type AuditProof, countAuditLinks, verifyAuditLog } from '../modules/audit/chain.service.js';
import { withApp } from './opening.js';
import type { Outcome } from './run.js';
import type { Ui } from './ui.js';

/** The whole hash chain of the audit log, on the configured database; needs no running server. */
export async function auditVerify(_options: object, ui: Ui): Promise<Outcome> {
  return withApp((app) => verifyAudit(app, ui));
}

export async function verifyAudit(app: App, ui: Ui): Promise<Outcome> {
  const progress = ui.progress('Audit log', { total: await countAuditLinks(app), unit: 'rows' });
  try {
    const proof = await verifyAuditLog(app, (checked) => {
      progress.reached(checked);
      ui.checkpoint(`${checked} rows of the audit log are right so far; nothing was changed.`);
    });
    return { ok: proof.ok, result: { ...proof }, text: inWords(proof) };
  } finally {
    progress.stop();
  }
}

function inWords({ checked, unlinked, lastSequence, lastHash, firstBroken }: AuditProof): string {
  if (!firstBroken) {
    return `The audit log is whole: ${checked} rows checked, ${unlinked} not linked yet.\nLast link ${lastSequence}: ${lastHash}`;
  }
  const { sequence, eventId, problem } = firstBroken;
  const place = sequence === null ? 'outside of the chain' : `at link ${sequence}`;
  return `The audit log is BROKEN ${place}: ${problem}${eventId ? `, row ${eventId}` : ''}. ${checked} rows before it are right.`;
}
