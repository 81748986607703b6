import type { Context } from '../../core/context.js';
import type { AuditEventRow } from '../audit/audit.table.js';
import { toAuthPayload } from '../auth/auth.present.js';
import type { RegisterPayload, SecurityEvent } from './accounts.types.js';
import type { IssuedKey } from './api-keys.service.js';
import type { ApiKeyPayload, ApiKey as ApiKeyType } from './api-keys.types.js';
import type { Registered } from './registration.service.js';

export function toRegisterPayload(context: Context, registered: Registered): RegisterPayload {
  if (registered.issued) return toAuthPayload(context, registered);
  return { accessToken: null, accessTokenExpiresAt: null, refreshToken: null, user: null };
}

/** The row as the person it concerns sees it. Where operators sit and what they use is not theirs to know. */
export function toSecurityEvent(row: AuditEventRow): SecurityEvent {
  const isOwn = row.actorKind === 'USER' || row.actorKind === 'ANONYMOUS';
  return {
    id: row.id,
    occurredAt: row.occurredAt,
    action: row.action,
    actorKind: row.actorKind,
    ip: isOwn ? row.ip : null,
    userAgent: isOwn ? row.userAgent : null,
    reason: row.reason,
  };
}

export function toApiKey(row: IssuedKey['row']): ApiKeyType {
  return {
    id: row.id,
    name: row.name,
    start: row.start,
    scopes: row.scopes,
    ipAllowList: row.ipAllowList,
    createdAt: row.createdAt,
    expiresAt: row.expiresAt,
    lastUsedAt: row.lastUsedAt,
    revokedAt: row.revokedAt,
  };
}

export function toApiKeyPayload({ row, key }: IssuedKey): ApiKeyPayload {
  return { apiKey: toApiKey(row), key };
}
