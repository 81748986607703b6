// One query for each source, each over an index by time; a day is a UTC day. Nothing here names anybody.
import { and, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { App } from '../../core/context.js';
import type { Db } from '../../core/database.js';
import { badInput } from '../../core/errors.js';
import { readLagging } from '../../core/lagging.js';
import { auditEvents } from '../audit/audit.table.js';
import { activeDays } from '../auth/activity.table.js';
import { users } from '../auth/auth.table.js';
import { creditTransactions } from '../credits/credits.table.js';
import { messageLogs } from '../messages/messages.table.js';
import { payments } from '../payments/payments.table.js';

const DAY_MS = 86_400_000;
const MOST_DAYS = 366;
/** Beyond these years a date is written in a way that PostgreSQL does not read. */
const EARLIEST = Date.UTC(1970, 0, 1);
const LATEST = Date.UTC(9999, 0, 1);

export interface DayStatistics {
  /** As 2026-01-31. */
  day: string;
  signUps: number;
  activeUsers: number;
  signIns: number;
  failedSignIns: number;
  creditsGranted: number;
  creditsUsed: number;
  messagesLogged: number;
  revenue: Revenue[];
}

/** The payments of that day in one currency; what went back of them stands with them, whenever it did. */
export interface Revenue {
  currency: string;
  payments: number;
  amountMinor: number;
  reversedMinor: number;
}

interface Period {
  from: Date;
  to: Date;
}

/** What was counted on a day; a day that is not in it had nothing. */
type Counts = Map<string, number>;

/**
 * Every UTC day that the time from `from` until before `to` touches, oldest first, each counted as a whole; days
 * without anything are zeros.
 *
 * @throws BAD_USER_INPUT when `to` is not after `from`, for more than 366 days, and outside of 1970 to 9998
 */
export async function statistics(app: App, asked: Period): Promise<DayStatistics[]> {
  const period = wholeDays(asked);
  const [signUps, activeUsers, signIns, credits, messages, revenue] = await readLagging(app, (db) =>
    Promise.all([
      countSignUps(db, period),
      countActiveUsers(db, period),
      countSignIns(db, period),
      sumCredits(db, period),
      countMessages(db, period),
      sumRevenue(db, period),
    ]),
  );
  return daysOf(period).map((day) => ({
    day,
    signUps: signUps.get(day) ?? 0,
    activeUsers: activeUsers.get(day) ?? 0,
    signIns: signIns.succeeded.get(day) ?? 0,
    failedSignIns: signIns.failed.get(day) ?? 0,
    creditsGranted: credits.granted.get(day) ?? 0,
    creditsUsed: credits.used.get(day) ?? 0,
    messagesLogged: messages.get(day) ?? 0,
    revenue: revenue.get(day) ?? [],
  }));
}

function wholeDays({ from, to }: Period): Period {
  if (from >= to) throw badInput({ to: 'must be after from' });
  if (from.getTime() < EARLIEST) throw badInput({ from: 'must not lie before 1970' });
  if (to.getTime() > LATEST) throw badInput({ to: 'must not lie after 9998' });
  const first = Math.floor(from.getTime() / DAY_MS);
  const end = Math.ceil(to.getTime() / DAY_MS);
  if (end - first > MOST_DAYS) throw badInput({ to: `must be at most ${MOST_DAYS} days after from` });
  return { from: new Date(first * DAY_MS), to: new Date(end * DAY_MS) };
}

const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10);

function daysOf({ from, to }: Period): string[] {
  const count = (to.getTime() - from.getTime()) / DAY_MS;
  return Array.from({ length: count }, (_, index) => isoDay(from.getTime() + index * DAY_MS));
}

const within = (time: PgColumn, { from, to }: Period) => and(gte(time, from), lt(time, to));
/** As far as a number is exact: one absurd day must not cost the whole answer. */
const number = (expression: SQL): SQL<number> =>
  sql<number>`${expression}`.mapWith((value) => Math.min(Number(value), Number.MAX_SAFE_INTEGER));

/** `value` of the rows of each day. Grouped by date, and written as text once a day and not once a row. */
async function byDay(
  db: Db,
  options: { table: PgTable; day: SQL; value: SQL; where: SQL | undefined },
): Promise<Counts> {
  const { table, day, value, where } = options;
  const rows = await db
    .select({ day: sql<string>`${day}::text`, value: number(value) })
    .from(table)
    .where(where)
    .groupBy(day);
  return new Map(rows.map((row) => [row.day, row.value]));
}

const dateOf = (time: PgColumn): SQL => sql`(${time} at time zone 'UTC')::date`;

function countSignUps(db: Db, period: Period): Promise<Counts> {
  const { createdAt } = users;
  return byDay(db, { table: users, day: dateOf(createdAt), value: sql`count(*)`, where: within(createdAt, period) });
}

function countActiveUsers(db: Db, { from, to }: Period): Promise<Counts> {
  const { day } = activeDays;
  const where = and(gte(day, isoDay(from.getTime())), lt(day, isoDay(to.getTime())));
  return byDay(db, { table: activeDays, day: sql`${day}`, value: sql`count(*)`, where });
}

function countMessages(db: Db, period: Period): Promise<Counts> {
  const { createdAt, messageCount } = messageLogs;
  const value = sql`sum(${messageCount})`;
  return byDay(db, { table: messageLogs, day: dateOf(createdAt), value, where: within(createdAt, period) });
}

async function countSignIns(db: Db, period: Period): Promise<{ succeeded: Counts; failed: Counts }> {
  const { action, occurredAt } = auditEvents;
  const count = (what: string) => {
    const where = and(eq(action, what), within(occurredAt, period));
    return byDay(db, { table: auditEvents, day: dateOf(occurredAt), value: sql`count(*)`, where });
  };
  const [succeeded, failed] = await Promise.all([count('user.signed_in'), count('user.sign_in_failed')]);
  return { succeeded, failed };
}

const GRANTED = ['PURCHASE', 'GRANT', 'PLAN_GRANT'] as const;
const USED = ['USE', 'CAPTURE'] as const;

async function sumCredits(db: Db, period: Period): Promise<{ granted: Counts; used: Counts }> {
  const { kind, amount, createdAt } = creditTransactions;
  const sumOf = (kinds: readonly (typeof kind._.data)[]) =>
    number(sql`coalesce(sum(abs(${amount})) filter (where ${inArray(kind, [...kinds])}), 0)`);
  const day = dateOf(createdAt);
  const rows = await db
    .select({ day: sql<string>`${day}::text`, granted: sumOf(GRANTED), used: sumOf(USED) })
    .from(creditTransactions)
    .where(within(createdAt, period))
    .groupBy(day);
  return {
    granted: new Map(rows.map((row) => [row.day, row.granted])),
    used: new Map(rows.map((row) => [row.day, row.used])),
  };
}

async function sumRevenue(db: Db, period: Period): Promise<Map<string, Revenue[]>> {
  const { paidAt, currency, amountMinor, reversedMinor } = payments;
  const day = dateOf(paidAt);
  const rows = await db
    .select({
      day: sql<string>`${day}::text`,
      currency,
      payments: number(sql`count(*)`),
      amountMinor: number(sql`sum(${amountMinor})`),
      reversedMinor: number(sql`sum(${reversedMinor})`),
    })
    .from(payments)
    .where(within(paidAt, period))
    .groupBy(day, currency)
    .orderBy(currency);
  const byDay = Map.groupBy(rows, (row) => row.day);
  return new Map([...byDay].map(([day, rows]) => [day, rows.map(({ day: _, ...revenue }) => revenue)]));
}
