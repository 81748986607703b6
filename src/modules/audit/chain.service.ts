// Invariants: every audit row that is committed waits in audit_unlinked (a trigger puts it there) until it has exactly
// one link; a link's hash is SHA-256(hash of the link before || the row as canonical JSON), so that nothing before the
// newest link can be changed, taken out, put in or swapped without breaking every hash after it. What a chain alone
// cannot show is that its end was cut off, or that all of it was written anew: whoever fears that keeps `lastHash`
// somewhere else.
import { createHash } from 'node:crypto';
import { asc, eq, gt, inArray, sql } from 'drizzle-orm';
import type { App } from '../../core/context.js';
import { transact } from '../../core/database.js';
import { auditEvents, auditLinks, auditUnlinked } from './audit.table.js';

const LINKED_AT_ONCE = 1_000;
const CHECKED_AT_ONCE = 2_000;
const FIRST_HASH = '0'.repeat(64);
const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

/**
 * The row as PostgreSQL's jsonb text, which is canonical: one spacing, keys sorted, no key twice. Columns are named, for
 * a column that is added later must not change the hash of rows that were linked before it.
 */
const CANONICAL = sql<string>`jsonb_build_array(
  ${auditEvents.id}, to_char(${auditEvents.occurredAt} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
  ${auditEvents.actorKind}, ${auditEvents.actorId}, ${auditEvents.action}, ${auditEvents.targetKind},
  ${auditEvents.targetId}, ${auditEvents.userId}, ${auditEvents.before}, ${auditEvents.after}, ${auditEvents.reason},
  ${auditEvents.ip}, ${auditEvents.userAgent}, ${auditEvents.requestId})::text`;

const hashOf = (previousHash: string, row: string) =>
  createHash('sha256').update(previousHash).update(row).digest('hex');

/**
 * Links up to a thousand rows that have no link yet, oldest first, and answers how many. One caller does it at a time;
 * for the others there is nothing to do. Whoever writes audit rows never waits for this.
 */
export async function linkAuditEvents(app: App): Promise<number> {
  return transact(app, async (app) => {
    if (!(await isAlone(app))) return 0;
    // Ids are ordered by time (UUIDv7): the primary key finds the oldest without sorting all that wait.
    const oldest = app.db
      .select()
      .from(auditUnlinked)
      .orderBy(asc(auditUnlinked.eventId))
      .limit(LINKED_AT_ONCE)
      .as('oldest');
    const waiting = await app.db
      .select({ eventId: auditEvents.id, row: CANONICAL })
      .from(oldest)
      .innerJoin(auditEvents, eq(auditEvents.id, oldest.eventId))
      .orderBy(asc(auditEvents.occurredAt), asc(auditEvents.id));
    if (waiting.length === 0) return 0;
    let [sequence, hash] = await readLast(app);
    const links = waiting.map(({ eventId, row }) => {
      const previousHash = hash;
      hash = hashOf(previousHash, row);
      sequence += 1;
      return { sequence, eventId, previousHash, hash, createdAt: app.now() };
    });
    await app.db.insert(auditLinks).values(links);
    const linked = links.map(({ eventId }) => eventId);
    await app.db.delete(auditUnlinked).where(inArray(auditUnlinked.eventId, linked));
    return links.length;
  });
}

async function isAlone(app: App): Promise<boolean> {
  const asked = sql`(select pg_try_advisory_xact_lock(hashtext('audit.chain'), 0) as taken) as asked`;
  const [answer] = await app.db.select({ taken: sql<boolean>`taken` }).from(asked);
  return answer?.taken === true;
}

async function readLast(app: App): Promise<[sequence: number, hash: string]> {
  const [last] = await app.db
    .select({ sequence: auditLinks.sequence, hash: auditLinks.hash })
    .from(auditLinks)
    .orderBy(sql`${auditLinks.sequence} desc`)
    .limit(1);
  return [last?.sequence ?? 0, last?.hash ?? FIRST_HASH];
}

/** How many rows wait to be linked, and for how many seconds the oldest has. */
export async function readChainState(app: App): Promise<{ unlinked: number; oldestSeconds: number }> {
  const [row] = await app.sql.query<{ unlinked: number; oldest: Date | null }>(
    `select (select count(*)::int from audit_unlinked) as unlinked,
            (select e.occurred_at from audit_unlinked u join audit_events e on e.id = u.event_id
              order by u.event_id limit 1) as oldest`,
    [],
  );
  const waited = row?.oldest ? app.now().getTime() - row.oldest.getTime() : 0;
  return { unlinked: row?.unlinked ?? 0, oldestSeconds: Math.max(0, waited / 1_000) };
}

export type AuditProblem = 'LINK_MISSING' | 'ORDER_CHANGED' | 'EVENT_MISSING' | 'EVENT_CHANGED' | 'EVENT_NOT_LINKED';

export interface BrokenLink {
  /** Null when the row stands outside of the chain. */
  sequence: number | null;
  eventId: string | null;
  problem: AuditProblem;
}

export interface AuditProof {
  ok: boolean;
  /** Links found right, from the first on. */
  checked: number;
  /** Rows of the last moments, which have no link yet. */
  unlinked: number;
  lastSequence: number;
  lastHash: string;
  firstBroken: BrokenLink | null;
}

/**
 * Goes through the whole chain and all rows, while others write, and stops at the first thing that is not as it was
 * written. Reads a few thousand rows at a time; changes nothing.
 *
 * @param onChecked told after each of these how many links were found right; what it throws ends the walk
 */
export async function verifyAuditLog(
  app: Pick<App, 'db'>,
  onChecked: (links: number) => void = () => undefined,
): Promise<AuditProof> {
  const walked = await walkChain(app, onChecked);
  const firstBroken = walked.firstBroken ?? (await findLostEvent(app)) ?? (await findUnlinkedStranger(app));
  const unlinked = await app.db.$count(auditUnlinked);
  return { ...walked, ok: firstBroken === null, unlinked, firstBroken };
}

/** How many links there are to be checked, for a bar that shows how far it is. */
export async function countAuditLinks(app: Pick<App, 'db'>): Promise<number> {
  return app.db.$count(auditLinks);
}

type Walk = Pick<AuditProof, 'checked' | 'lastSequence' | 'lastHash' | 'firstBroken'>;

async function walkChain(app: Pick<App, 'db'>, onChecked: (links: number) => void): Promise<Walk> {
  const walk: Walk = { checked: 0, lastSequence: 0, lastHash: FIRST_HASH, firstBroken: null };
  for (;;) {
    const links = await app.db
      .select({
        sequence: auditLinks.sequence,
        linkedId: auditLinks.eventId,
        previousHash: auditLinks.previousHash,
        hash: auditLinks.hash,
        eventId: auditEvents.id,
        row: CANONICAL,
      })
      .from(auditLinks)
      .leftJoin(auditEvents, eq(auditEvents.id, auditLinks.eventId))
      .where(gt(auditLinks.sequence, walk.lastSequence))
      .orderBy(asc(auditLinks.sequence))
      .limit(CHECKED_AT_ONCE);
    for (const link of links) {
      const problem = problemOf(link, walk);
      if (problem) return { ...walk, firstBroken: problem };
      walk.checked += 1;
      walk.lastSequence = link.sequence;
      walk.lastHash = link.hash;
    }
    onChecked(walk.checked);
    if (links.length < CHECKED_AT_ONCE) return walk;
  }
}

interface JoinedLink {
  sequence: number;
  linkedId: string;
  previousHash: string;
  hash: string;
  eventId: string | null;
  row: string;
}

function problemOf(link: JoinedLink, { lastSequence, lastHash }: Walk): BrokenLink | null {
  const { sequence, linkedId: eventId } = link;
  if (sequence !== lastSequence + 1) return { sequence: lastSequence + 1, eventId: null, problem: 'LINK_MISSING' };
  if (link.eventId === null) return { sequence, eventId, problem: 'EVENT_MISSING' };
  if (link.previousHash !== lastHash) return { sequence, eventId, problem: 'ORDER_CHANGED' };
  if (link.hash !== hashOf(lastHash, link.row)) return { sequence, eventId, problem: 'EVENT_CHANGED' };
  return null;
}

/** A row that was taken away before it had a link. */
async function findLostEvent(app: Pick<App, 'db'>): Promise<BrokenLink | null> {
  const [lost] = await app.db
    .select({ eventId: auditUnlinked.eventId })
    .from(auditUnlinked)
    .leftJoin(auditEvents, eq(auditEvents.id, auditUnlinked.eventId))
    .where(sql`${auditEvents.id} is null`)
    .orderBy(asc(auditUnlinked.eventId))
    .limit(1);
  return lost ? { sequence: null, eventId: lost.eventId, problem: 'EVENT_MISSING' } : null;
}

/** A row that has no link and waits for none: it was written behind the trigger's back. */
async function findUnlinkedStranger(app: Pick<App, 'db'>): Promise<BrokenLink | null> {
  for (let after: string | null = LOWEST_ID; after !== null; ) {
    const slice: Slice = await readSlice(app, after);
    if (slice.stranger) return { sequence: null, eventId: slice.stranger, problem: 'EVENT_NOT_LINKED' };
    after = slice.rows === CHECKED_AT_ONCE ? slice.last : null;
  }
  return null;
}

interface Slice {
  last: string | null;
  rows: number;
  stranger: string | null;
}

/** One statement sees a row, its place in the queue and its link as they were at one moment. */
async function readSlice(app: Pick<App, 'db'>, after: string): Promise<Slice> {
  const read = sql`
    select max(e.id::text) as last, count(*)::int as rows,
           min(e.id::text) filter (where l.event_id is null and u.event_id is null) as stranger
      from (select id from audit_events where id > ${after}::uuid order by id limit ${CHECKED_AT_ONCE}) e
      left join audit_links l on l.event_id = e.id
      left join audit_unlinked u on u.event_id = e.id`;
  const [slice] = await app.db
    .select({ last: sql<string | null>`last`, rows: sql<number>`rows`, stranger: sql<string | null>`stranger` })
    .from(sql`(${read}) as slice`);
  return slice ?? { last: null, rows: 0, stranger: null };
}
