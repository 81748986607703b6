// Invariants: a change of a rule counts at once, on every instance. Rules are remembered only while notifications of
// changes come through; else each turn of the event loop asks the database once. A database that is away serves
// nobody anything; what is answered without it (health, keys, pages) follows the rules seen last.
import type { App } from '../../core/context.js';
import { isDatabaseUnavailable } from '../../core/database.js';
import { createLookup } from '../../core/lookups.js';
import { type IpRules, type Rule, readRules } from './rules.js';

/** A trigger notifies on this channel when a rule is made, changed or removed. */
const CHANNEL = 'credence_ip_rules';

const READ = `
  select action, scope, coalesce(service_id, api_key_id) as "scopeId", cidr::text as cidr from ip_rules`;

interface Followed {
  isLive: boolean;
  /** Raised by each change: what was read before it is not remembered. */
  generation: number;
  remembered: IpRules | undefined;
  lastSeen: IpRules | undefined;
  read(key: string): Promise<IpRules | undefined>;
}

const followed = new WeakMap<App['database'], Followed>();

function follow(app: App): Followed {
  const { database, log } = app;
  const state: Followed = {
    isLive: false,
    generation: 0,
    remembered: undefined,
    lastSeen: undefined,
    read: createLookup(async ([key = '']) => {
      const { generation } = state;
      const rules = readRules(await database.sql.query<Rule>(READ, []));
      state.lastSeen = rules;
      if (state.isLive && generation === state.generation) state.remembered = rules;
      return new Map([[key, rules]]);
    }),
  };
  followed.set(database, state);
  database
    .listen(
      CHANNEL,
      () => forget(state),
      (isLive) => {
        state.isLive = isLive;
        // What was missed meanwhile is not known.
        forget(state);
      },
    )
    .catch((error: unknown) => log.warn({ err: error }, 'not listening for network rules; asking for them each time'));
  return state;
}

function forget(state: Followed): void {
  state.generation += 1;
  state.remembered = undefined;
}

/** The rules as they are now: at hand as long as changes are heard of, else read. @throws DATABASE_UNAVAILABLE */
export function ipRulesNow(app: App): IpRules | Promise<IpRules> {
  const state = followed.get(app.database) ?? follow(app);
  return state.remembered ?? readNow(state);
}

async function readNow(state: Followed): Promise<IpRules> {
  try {
    const rules = await state.read('');
    if (rules) return rules;
    throw new Error('The network rules were not read');
  } catch (error) {
    if (state.lastSeen && isDatabaseUnavailable(error)) return state.lastSeen;
    throw error;
  }
}

/** Whoever changed a rule here sees it with the next request, before any notification. After the commit. */
export function forgetIpRules(app: App): void {
  const state = followed.get(app.database);
  if (state) forget(state);
}
