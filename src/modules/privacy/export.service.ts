// Invariants: everything the privacy map calls EXPORT and nothing else, so no hash, no secret and nobody but the person;
// at most MOST rows of a kind, the newest, and the document says where it stopped.
import { desc, eq, getTableColumns } from 'drizzle-orm';
import { getTableConfig, type PgTable, type SelectedFields } from 'drizzle-orm/pg-core';
import type { Actor, App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { recordAudit } from '../audit/audit.service.js';
import { getUser } from '../auth/users.service.js';
import { findOpeningKeys } from '../data-keys/data-keys.service.js';
import { opened } from '../messages/message-logs.service.js';
import type { MessageLogRow } from '../messages/messages.table.js';
import { type HeldTable, PRIVACY_MAP } from './privacy-map.js';

const MOST = 10_000;

type Row = Record<string, unknown>;

/**
 * Everything that is held about the caller as one JSON document: a list for each kind, `truncated` with the kinds that
 * had more than 10,000 rows. The person's history says that it was made.
 *
 * @throws NOT_FOUND when the person was deleted meanwhile
 */
export async function exportMyData(app: App, options: { userId: string; actor: Actor }): Promise<Row> {
  const { userId, actor } = options;
  return transact(app, async (app) => {
    await getUser(app, userId);
    await recordAudit(app, { actor, action: 'user.data_exported', userId, target: { kind: 'user', id: userId } });
    const sections: Record<string, Row[]> = {};
    const truncated: string[] = [];
    for (const held of PRIVACY_MAP) {
      if (held.section === undefined) continue;
      const rows = await readAll(app, { held, userId });
      if (rows.length > MOST) truncated.push(held.section);
      sections[held.section] = rows.slice(0, MOST);
    }
    const { profile, messages, securityHistory, ...others } = sections;
    return {
      exportedAt: app.now().toISOString(),
      truncated,
      profile: profile?.[0],
      ...others,
      messages: await openMessages(app, { userId, rows: messages ?? [] }),
      securityHistory: (securityHistory ?? []).map(withoutOperator),
    };
  });
}

async function readAll(app: App, options: { held: HeldTable; userId: string }): Promise<Row[]> {
  const { held, userId } = options;
  const table = held.table as PgTable;
  const columns = getTableColumns(table);
  const owner = columns[held.owner];
  if (!owner) throw new Error(`The privacy map names no column of ${getTableConfig(table).name} as the owner’s.`);
  const shown = Object.entries(columns).filter(([name]) => held.columns[name]?.exported);
  const key = keysOf(table);
  return (
    app.db
      .select(Object.fromEntries(shown) as SelectedFields)
      .from(table)
      .where(eq(owner, userId))
      // Ids are made in the order of time: the newest first.
      .orderBy(...key.map((column) => desc(column)))
      .limit(MOST + 1)
  );
}

function keysOf(table: PgTable) {
  const { columns, primaryKeys } = getTableConfig(table);
  const composed = primaryKeys[0]?.columns ?? [];
  return composed.length > 0 ? composed : columns.filter((column) => column.primary);
}

async function openMessages(app: App, options: { userId: string; rows: Row[] }): Promise<Row[]> {
  const { userId, rows } = options;
  const keys = (await findOpeningKeys(app, [userId])).get(userId);
  return rows.map((row) => {
    const { sealedContent, ...entry } = row;
    const { messages } = opened({ ...row, userId } as MessageLogRow, keys);
    return { ...entry, messages };
  });
}

/** Where operators sit and what they use is not the person's to know. */
function withoutOperator(row: Row): Row {
  const isOwn = row.actorKind === 'USER' || row.actorKind === 'ANONYMOUS';
  return isOwn ? row : { ...row, ip: null, userAgent: null };
}
