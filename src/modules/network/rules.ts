import { type Cidr, canonicalIp, isInCidrs, parseCidrs } from '../../core/network.js';

export type IpRuleScope = 'EVERYTHING' | 'OPERATOR_SIGN_IN' | 'SERVICE' | 'API_KEY';

/** One rule as far as it decides something. */
export interface Rule {
  action: 'ALLOW' | 'DENY';
  scope: IpRuleScope;
  /** The service or API key, for those scopes. */
  scopeId: string | null;
  cidr: string;
}

export interface IpRules {
  /** Whether `ip` may act in this scope. Deny wins; without an allow rule, from anywhere. */
  allows(ip: string, scope: IpRuleScope, scopeId?: string): boolean;
}

const keyOf = (scope: IpRuleScope, scopeId: string | null | undefined) => `${scope} ${scopeId ?? ''}`;

/** Throws for an entry that is no address block: rules that cannot be read shut everybody out, never let in (W4). */
export function readRules(rules: readonly Rule[]): IpRules {
  const lists = new Map<string, { allow: Cidr[]; deny: Cidr[] }>();
  for (const { action, scope, scopeId, cidr } of rules) {
    const key = keyOf(scope, scopeId);
    const list = lists.get(key) ?? { allow: [], deny: [] };
    lists.set(key, list);
    list[action === 'ALLOW' ? 'allow' : 'deny'].push(...parseCidrs([cidr]));
  }
  return {
    allows(ip, scope, scopeId) {
      if (lists.size === 0) return true;
      const list = lists.get(keyOf(scope, scopeId));
      if (!list) return true;
      // Where there are rules, what is no address is nowhere (W1).
      if (canonicalIp(ip) === undefined || isInCidrs(ip, list.deny)) return false;
      return list.allow.length === 0 || isInCidrs(ip, list.allow);
    },
  };
}
