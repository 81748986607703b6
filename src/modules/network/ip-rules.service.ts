// Invariants: nobody shuts out the address they call from, and of two who would together shut each other out the
// second is refused: changes take turns under one lock; an entry that cannot be meant as written is not stored.
import { desc, eq, sql } from 'drizzle-orm';
import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import { hasState, transact } from '../../core/database.js';
import { AppError, badInput } from '../../core/errors.js';
import { found, requireId } from '../../core/input.js';
import { formatCidr, parseCidrs } from '../../core/network.js';
import { type Connection, olderThan, type PageArguments, readPage, toConnection } from '../../core/pages.js';
import { recordAudit } from '../audit/audit.service.js';
import { forgetIpRules } from './following.service.js';
import { type IpRuleRow, ipRules } from './network.table.js';
import { type IpRuleScope, type Rule, readRules } from './rules.js';

/** Each request walks the list of its scope. */
const MOST_RULES = 1_000;
const LONGEST_NOTE = 200;

/** All rules, newest first. @throws BAD_USER_INPUT */
export async function listIpRules(app: App, asked: PageArguments): Promise<Connection<IpRuleRow>> {
  const page = readPage(asked, ['time', 'id']);
  const rows = await app.db
    .select()
    .from(ipRules)
    .where(olderThan({ time: ipRules.createdAt, id: ipRules.id }, page.after))
    .orderBy(desc(ipRules.createdAt), desc(ipRules.id))
    .limit(page.limit + 1);
  return toConnection(rows, {
    page,
    keyOf: (row) => [row.createdAt, row.id],
    count: () => app.db.$count(ipRules),
  });
}

/** The block in its one form, so that 10.1.2.3/8 or 010.0.0.1 is refused and not guessed at (W4). @throws BAD_USER_INPUT */
function requireCidr(text: string): string {
  try {
    const [cidr] = parseCidrs([text]);
    if (cidr) return formatCidr(cidr);
  } catch {
    // It says what is wrong with which entry; the caller knows which.
  }
  throw badInput({
    cidr: 'must be an address block such as 10.0.0.0/8 or 2001:db8::/32, without bits beyond its prefix',
  });
}

function requireNote(note: string | null | undefined): string | null {
  const text = (note ?? '').trim();
  if (text.length <= LONGEST_NOTE && !/\p{Cc}/u.test(text)) return text || null;
  throw badInput({ note: `must have at most ${LONGEST_NOTE} printable characters` });
}

function requireScopeId(scope: IpRuleScope, scopeId: string | null | undefined) {
  const isNamed = scope === 'SERVICE' || scope === 'API_KEY';
  if (isNamed && scopeId == null) throw badInput({ scopeId: 'must name the service or API key' });
  if (!isNamed && scopeId != null) throw badInput({ scopeId: 'goes with SERVICE and API_KEY only' });
  const id = scopeId == null ? null : requireId(scopeId, 'scopeId');
  return { serviceId: scope === 'SERVICE' ? id : null, apiKeyId: scope === 'API_KEY' ? id : null };
}

const toRule = ({ action, scope, serviceId, apiKeyId, cidr }: IpRuleRow): Rule => ({
  action,
  scope,
  scopeId: serviceId ?? apiKeyId,
  cidr,
});

/** Judges the rules as they would be from now on; inside the transaction that changes them. @throws CONFLICT */
async function requireNotShutOut(app: App, actor: Actor): Promise<void> {
  const rules = readRules((await app.db.select().from(ipRules)).map(toRule));
  const ip = actor.ip ?? '';
  if (rules.allows(ip, 'EVERYTHING') && rules.allows(ip, 'OPERATOR_SIGN_IN')) return;
  throw new AppError('CONFLICT', { message: 'This would shut out the address that you call from.' });
}

/** One change at a time: each is judged with the one before it. Forgets what was remembered once it is committed. */
async function change<T>(app: App, work: (app: App) => Promise<T>): Promise<T> {
  const changed = await transact(app, async (app) => {
    await app.db.execute(sql`select pg_advisory_xact_lock(hashtext('ip-rules'), 0)`);
    return work(app);
  });
  forgetIpRules(app);
  return changed;
}

const shown = ({ action, scope, serviceId, apiKeyId, cidr, note }: IpRuleRow) => ({
  action,
  scope,
  scopeId: serviceId ?? apiKeyId,
  cidr,
  note,
});

interface NewRule {
  action: 'ALLOW' | 'DENY';
  scope: IpRuleScope;
  scopeId?: string | null | undefined;
  cidr: string;
  note?: string | null | undefined;
  actor: Actor;
}

/**
 * A rule that counts with the next request, on every instance.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND for a service or key that does not exist; CONFLICT when the caller would be shut
 *   out; LIMIT_REACHED at 1,000 rules
 */
export async function addIpRule(app: App, options: NewRule): Promise<IpRuleRow> {
  const { action, scope, actor } = options;
  const row = {
    id: newId(),
    action,
    scope,
    ...requireScopeId(scope, options.scopeId),
    cidr: requireCidr(options.cidr),
    note: requireNote(options.note),
    createdBy: actor.id,
    createdAt: app.now(),
  };
  try {
    return await change(app, async (app) => {
      if ((await app.db.$count(ipRules)) >= MOST_RULES)
        throw new AppError('LIMIT_REACHED', { message: `There can be at most ${MOST_RULES} rules.` });
      const [rule] = await app.db.insert(ipRules).values(row).returning();
      await requireNotShutOut(app, actor);
      const target = { kind: 'ip_rule', id: row.id };
      await recordAudit(app, { actor, action: 'ip_rule.added', target, after: shown(found(rule)) });
      return found(rule);
    });
  } catch (error) {
    // 23503: the foreign key finds no such service or key.
    throw hasState(error, /^23503$/) ? new AppError('NOT_FOUND') : error;
  }
}

/**
 * Takes a rule away; answers it as it was.
 *
 * @throws BAD_USER_INPUT, NOT_FOUND, CONFLICT when the caller would be shut out (the allow rules that are left do not
 *   hold their address)
 */
export async function removeIpRule(app: App, options: { id: string; actor: Actor }): Promise<IpRuleRow> {
  const { actor } = options;
  const id = requireId(options.id);
  return change(app, async (app) => {
    const [removed] = await app.db.delete(ipRules).where(eq(ipRules.id, id)).returning();
    const rule = found(removed);
    await requireNotShutOut(app, actor);
    await recordAudit(app, { actor, action: 'ip_rule.removed', target: { kind: 'ip_rule', id }, before: shown(rule) });
    return rule;
  });
}
