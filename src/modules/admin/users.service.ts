// Invariants: whoever looks at a person, alone or in a list, leaves a row in that person's history before anything is
// shown; a list leaves one row more, with what was searched for.
import { and, asc, desc, eq, gte, isNotNull, isNull, lt, not, or, type SQL, sql } from 'drizzle-orm';
import type { Actor, App } from '../../core/context.js';
import { type Db, transact } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { readLagging } from '../../core/lagging.js';
import {
  type Connection,
  DEFAULT_PAGE,
  olderThan,
  type PageArguments,
  readPage,
  toConnection,
} from '../../core/pages.js';
import { recordAudit, recordAudits } from '../audit/audit.service.js';
import { type UserRow, users } from '../auth/auth.table.js';

export interface UserFilter {
  search?: string | null | undefined;
  status?: 'ACTIVE' | 'SUSPENDED' | 'DELETED' | null | undefined;
  emailVerified?: boolean | null | undefined;
  createdAfter?: Date | null | undefined;
  createdBefore?: Date | null | undefined;
}

export type UserSort = 'CREATED_AT_DESC' | 'CREATED_AT_ASC' | 'USERNAME_ASC';

interface Listing extends PageArguments {
  filter: UserFilter;
  sort: UserSort;
  actor: Actor;
  /** Whether a search looks at addresses: not for those who see them masked. */
  searchesAddresses: boolean;
}

/** People, a page at a time; a page goes on after its cursor whoever signs up meanwhile. @throws BAD_USER_INPUT */
export async function listUsers(app: App, listing: Listing): Promise<Connection<UserRow>> {
  const where = usersMatching(app, listing);
  return listing.sort === 'USERNAME_ASC'
    ? listByName(app, { ...listing, where })
    : listByTime(app, { ...listing, where });
}

/** @throws NOT_FOUND */
export async function viewUser(app: App, options: { id: string; actor: Actor }): Promise<UserRow> {
  const id = requireId(options.id);
  return transact(app, async (app) => {
    const [row] = await app.db.select().from(users).where(eq(users.id, id));
    const user = found(row);
    const target = { kind: 'user', id };
    await recordAudit(app, { actor: options.actor, action: 'user.viewed', userId: id, target });
    return user;
  });
}

type Sorted = Listing & { where: SQL | undefined };

async function listByTime(app: App, listing: Sorted): Promise<Connection<UserRow>> {
  const { sort, where } = listing;
  const page = readPage(listing, ['time', 'id']);
  const key = { time: users.createdAt, id: users.id };
  const isAscending = sort === 'CREATED_AT_ASC';
  const beyond = isAscending ? newerThan(page.after) : olderThan(key, page.after);
  const direction = isAscending ? asc : desc;
  const rows = await readAudited(app, listing, (db) =>
    db
      .select()
      .from(users)
      .where(and(where, beyond))
      .orderBy(direction(key.time), direction(key.id))
      .limit(page.limit + 1),
  );
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => readLagging(app, (db) => db.$count(users, where)),
  });
}

async function listByName(app: App, listing: Sorted): Promise<Connection<UserRow>> {
  const { where } = listing;
  const page = readPage(listing, ['text']);
  const beyond = page.after && sql`${users.usernameKey} > ${page.after[0]}`;
  const rows = await readAudited(app, listing, (db) =>
    db
      .select()
      .from(users)
      .where(and(where, beyond))
      .orderBy(asc(users.usernameKey))
      .limit(page.limit + 1),
  );
  const count = () => readLagging(app, (db) => db.$count(users, where));
  return toConnection(rows, { page, keyOf: (row) => [row.usernameKey], count });
}

function newerThan(after: readonly [Date, string] | undefined): SQL | undefined {
  if (after === undefined) return undefined;
  const [time, id] = after;
  return sql`(${users.createdAt}, ${users.id}) > (${sql.param(time, users.createdAt)}, ${sql.param(id, users.id)})`;
}

function fingerprintOf(app: App, search: string): string {
  const text = search.trim().toLowerCase();
  return app.secrets.mac('audit-search', text);
}

/** Reads, and answers when it is on record that it did: nothing is shown that is not recorded. */
async function readAudited(app: App, listing: Sorted, read: (db: Db) => Promise<UserRow[]>): Promise<UserRow[]> {
  const { filter, sort, first, after, actor } = listing;
  const rows = await readLagging(app, read);
  await transact(app, async (app) => {
    // What was searched for may be a name, and so may a cursor: audit rows outlive whoever asks to be forgotten. The
    // fingerprint still tells, to who has the encryption key, whether a certain name was searched for.
    const searched = { ...filter, search: filter.search == null ? undefined : fingerprintOf(app, filter.search) };
    const asked = { filter: searched, sort, first, isFirstPage: after == null };
    await recordAudit(app, { actor, action: 'users.listed', after: asked });
    // The last row may only say that there are more: it is not shown.
    const shown = rows.slice(0, first ?? DEFAULT_PAGE);
    const entries = shown.map(
      ({ id }) => ({ actor, action: 'user.listed', userId: id, target: { kind: 'user', id } }) as const,
    );
    await recordAudits(app, entries);
  });
  return rows;
}

/** The condition for the people who fit the filter. @throws BAD_USER_INPUT */
export function usersMatching(app: App, options: { filter: UserFilter; searchesAddresses: boolean }): SQL | undefined {
  const { search, status, emailVerified, createdAfter, createdBefore } = options.filter;
  return and(
    search == null ? undefined : matches(search, options),
    // Who was deleted is nobody's business unless asked for.
    status === 'DELETED' ? isNotNull(users.deletedAt) : isNull(users.deletedAt),
    status == null || status === 'DELETED' ? undefined : hasStatus(app, status),
    emailVerified == null ? undefined : (emailVerified ? isNotNull : isNull)(users.emailVerifiedAt),
    createdAfter == null ? undefined : gte(users.createdAt, createdAfter),
    createdBefore == null ? undefined : lt(users.createdAt, createdBefore),
  );
}

/** By the clock, as everywhere: a suspension with an end lifts itself. */
function hasStatus(app: App, status: 'ACTIVE' | 'SUSPENDED'): SQL | undefined {
  const now = sql.param(app.now(), users.suspendedUntil);
  const suspended = sql`(${users.status} = 'SUSPENDED' and (${users.suspendedUntil} > ${now}) is not false)`;
  return status === 'SUSPENDED' ? suspended : not(suspended);
}

const SHORTEST_SEARCH = 3;
const LONGEST_SEARCH = 100;

/** The expression of the index users_search (drizzle/0004), to the letter. The line breaks cannot be searched for. */
const SEARCHED = sql`(${users.usernameKey} || E'\n' || ${users.emailKey} || E'\n' || lower(coalesce(${users.displayName}, '')))`;

/** What a search shows to those who see addresses masked: on top of the index, or it would tell whose address it hit. */
const namesLike = (pattern: string) =>
  sql`(${users.usernameKey} like lower(${pattern}) or lower(coalesce(${users.displayName}, '')) like lower(${pattern}))`;

function matches(search: string, { searchesAddresses }: { searchesAddresses: boolean }): SQL | undefined {
  const text = search.trim();
  if (text.length < SHORTEST_SEARCH || text.length > LONGEST_SEARCH || /\p{Cc}/u.test(text)) {
    throw badInput({ 'filter.search': `must have ${SHORTEST_SEARCH} to ${LONGEST_SEARCH} printable characters` });
  }
  // Nothing of it is a wildcard (D3). Both sides are put into lower case by the database, which may know fewer letters.
  const pattern = `%${text.replace(/[\\%_]/g, '\\$&')}%`;
  const indexed = sql`${SEARCHED} like lower(${pattern})`;
  return or(searchesAddresses ? indexed : and(indexed, namesLike(pattern)), idBeginsWith(text.toLowerCase()));
}

const ID_BEGINNING = /^[0-9a-f]{8}(-[0-9a-f]{0,4}){0,3}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{0,12}$/;

/** As a range, which the primary key answers. */
function idBeginsWith(text: string): SQL | undefined {
  if (!ID_BEGINNING.test(text)) return undefined;
  const [lowest, highest] = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'];
  const from = text + lowest.slice(text.length);
  const to = text + highest.slice(text.length);
  return sql`${users.id} between ${sql.param(from, users.id)} and ${sql.param(to, users.id)}`;
}
