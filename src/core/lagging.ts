import type { App } from './context.js';
import { type Db, hasState, isDatabaseUnavailable, isInTransaction } from './database.js';

/**
 * Reads that may show the state of ten seconds ago: on the replica (DATABASE_REPLICA_URL) while there is one that is
 * current enough, else on the primary. For lists and statistics; never for what is decided upon: who is asking, what
 * they may do, what they have. `tests/house/lagging.test.ts` lists who calls this.
 *
 * `read` is run a second time, on the primary, when the replica fails.
 */
export async function readLagging<T>(app: App, read: (db: Db) => Promise<T>): Promise<T> {
  const { replica } = app.database;
  const db = isInTransaction(app) ? undefined : replica?.db();
  if (replica === undefined || db === undefined) return read(app.db);
  try {
    return await read(db);
  } catch (error) {
    if (!isReplicaAtFault(error)) throw error;
    // What it lacks may be a table of a migration that has just run: the next look tells whether it is current.
    replica.distrust();
    app.log.warn({ err: error }, 'the replica failed: the primary is read instead');
    return read(app.db);
  }
}

/** Not when it is busy or slow (57014): the primary, which decides, must not get the load that the replica cannot take. */
function isReplicaAtFault(error: unknown): boolean {
  if (hasState(error, /^(?:57014|DATABASE_BUSY)$/)) return false;
  return isDatabaseUnavailable(error) || hasState(error, /^42(?:P01|703)$/);
}
