import { Command } from 'commander';
import { buildConfig, readEnvironment } from '../core/config.js';
import { DatabaseRefusal, openDatabase } from '../core/database.js';
import { createLogger } from '../core/logger.js';
import { countPendingMigrations } from '../core/migrations.js';
import { type AuditProof, verifyAuditLog } from '../modules/audit/chain.service.js';

/** `credence audit verify [--json]`, on the configured database; needs no running server. */
export function auditCommand(): Command {
  const command = new Command('audit').description('the audit log');
  command
    .command('verify')
    .description('check the whole hash chain; ends with 1 and names the first broken row when it does not hold')
    .option('--json', 'write the result as JSON')
    .action(verify);
  return command;
}

async function verify({ json }: { json?: boolean }): Promise<void> {
  const config = buildConfig(readEnvironment());
  const database = await openDatabase(config.database, createLogger({ ...config.log, level: 'warn' }));
  try {
    if ((await countPendingMigrations(database)) > 0)
      throw new DatabaseRefusal('This database is older than this build: run "credence migrate up" first.');
    const proof = await verifyAuditLog(database);
    process.stdout.write(json ? `${JSON.stringify(proof)}\n` : inWords(proof));
    if (!proof.ok) process.exitCode = 1;
  } finally {
    await database.close();
  }
}

function inWords({ checked, unlinked, lastSequence, lastHash, firstBroken }: AuditProof): string {
  if (!firstBroken) {
    return `The audit log is whole: ${checked} rows checked, ${unlinked} not linked yet.\nLast link ${lastSequence}: ${lastHash}\n`;
  }
  const { sequence, eventId, problem } = firstBroken;
  const place = sequence === null ? 'outside of the chain' : `at link ${sequence}`;
  return `The audit log is BROKEN ${place}: ${problem}${eventId ? `, row ${eventId}` : ''}. ${checked} rows before it are right.\n`;
}
