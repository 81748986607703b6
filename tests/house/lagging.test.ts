import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sourceFiles } from './sources.js';

/**
 * What may be ten seconds old where there is a replica (docs/decisions/0017): lists that operators look through, and
 * counts. Nothing that is decided upon belongs here, nor what erasing must take away at once (messages, files, keys).
 */
const LAGGING: Record<string, string[]> = {
  'src/modules/admin/users.service.ts': ['listByName', 'listByTime', 'readAudited'],
  'src/modules/audit/audit-log.service.ts': ['auditLog'],
  // Compared with the account, which is exact: read again from the primary when the replica lacks the newest row.
  'src/modules/credits/history.service.ts': ['creditTransactions'],
  'src/modules/payments/payment-lists.service.ts': ['listPayments'],
  'src/modules/system/statistics.service.ts': ['statistics'],
};

/** The functions of a file within which a replica is read. */
function readersIn(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  const functions = text.split(/^(?:export )?(?:async )?function /m).slice(1);
  const readers = functions.filter((body) => body.includes('readLagging('));
  return readers.map((body) => /^\w+/.exec(body)?.[0] ?? '').sort();
}

it('only these read what may lag', () => {
  const files = sourceFiles().filter(({ name }) => name !== 'src/core/lagging.ts');
  const found = files.map(({ name, path }) => [name, readersIn(path)] as const).filter(([, names]) => names.length > 0);
  expect(Object.fromEntries(found)).toEqual(LAGGING);
  const users = files.filter(({ path }) => /\.replica\b/.test(readFileSync(path, 'utf8')));
  expect(users.map(({ name }) => name)).toEqual([]);
});
