import type { IpRuleRow } from './network.table.js';
import type { IpRule } from './network.types.js';

/** The row as the schema shows it: named columns only, nothing spread. */
export function toIpRule(row: IpRuleRow): IpRule {
  return {
    id: row.id,
    action: row.action,
    scope: row.scope,
    scopeId: row.serviceId ?? row.apiKeyId,
    cidr: row.cidr,
    note: row.note,
    createdBy: row.createdBy,
    createdAt: row.createdAt,
  };
}
