import type { AuditEventRow } from './audit.table.js';
import type { AuditEvent } from './audit.types.js';

export function toAuditEvent(row: AuditEventRow): AuditEvent {
  return { ...row, before: toObject(row.before), after: toObject(row.after) };
}

const toObject = (value: unknown) => (value === null ? null : (value as Record<string, unknown>));
