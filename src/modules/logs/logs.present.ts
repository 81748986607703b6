import type { StoredLine } from '../../core/log-store.js';
import { toAuditEvent } from '../audit/audit.present.js';
import type { RequestTrace as Trace } from './logs.service.js';
import type { LogLevel, LogLine, RequestTrace } from './logs.types.js';

const LEVELS: Record<number, `${LogLevel}`> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};

export function toLogLine(row: StoredLine): LogLine {
  const { level: _level, time: _time, msg, requestId, ...fields } = JSON.parse(row.line) as Record<string, unknown>;
  return {
    id: String(row.id),
    time: new Date(row.time),
    level: LEVELS[row.level] ?? 'INFO',
    event: String(msg ?? ''),
    requestId: typeof requestId === 'string' ? requestId : null,
    fields,
  };
}

export function toRequestTrace({ lines, auditEvents, ...rest }: Trace): RequestTrace {
  return { ...rest, lines: lines.map(toLogLine), auditEvents: auditEvents.map(toAuditEvent) };
}
