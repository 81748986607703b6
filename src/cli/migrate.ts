import { listMigrations, migrate, revertMigrations } from '../core/migrations.js';
import { withDatabase } from './opening.js';
import type { Outcome } from './run.js';

/** Applies every migration that is missing; makes the embedded database when there is none. */
export async function migrateUp(): Promise<Outcome> {
  const applied = await withDatabase((database, log) => migrate(database, { log }));
  const text = lines(applied, 'applied') ?? 'Nothing to apply: the database is up to date.';
  return { ok: true, result: { applied }, text };
}

/** Takes the newest migrations back, with everything their tables hold. */
export async function migrateDown({ steps }: { steps: number }): Promise<Outcome> {
  const reverted = await withDatabase((database, log) => revertMigrations(database, { log, steps }));
  const text = lines(reverted, 'reverted') ?? 'Nothing to revert: no migration is applied.';
  return { ok: true, result: { reverted }, text };
}

/** Lists the migrations of this build; not ok while one is pending. */
export async function migrateStatus(): Promise<Outcome> {
  const migrations = await withDatabase((database) => listMigrations(database));
  const pending = migrations.filter(({ appliedAt }) => appliedAt === null).length;
  const rows = migrations.map(
    ({ name, appliedAt }) => `${name}  ${appliedAt ? `applied ${appliedAt.toISOString()}` : 'pending'}`,
  );
  return { ok: pending === 0, result: { pending, migrations }, text: rows.join('\n') };
}

function lines(names: readonly string[], verb: string): string | undefined {
  return names.length === 0 ? undefined : names.map((name) => `${verb} ${name}`).join('\n');
}
