import { newId } from '../../core/columns.js';
import type { Actor, App } from '../../core/context.js';
import type { NestedList } from '../../core/nested-pages.js';
import { type AuditEventRow, auditEvents } from './audit.table.js';

/** What happened. Past tense, `noun.verb`; never renamed, for people filter by it. */
export type AuditAction =
  | 'user.registered'
  | 'user.email_verified'
  | 'user.signed_in'
  | 'user.sign_in_failed'
  | 'user.signed_out'
  | 'user.reauthenticated'
  | 'user.password_reset_requested'
  | 'user.password_reset'
  | 'user.password_changed'
  | 'user.invitation_accepted'
  | 'user.email_change_requested'
  | 'user.email_changed'
  | 'user.email_change_undone'
  | 'user.recovery_phrase_created'
  | 'user.google_linked'
  | 'user.google_unlinked'
  | 'user.recovered'
  | 'user.profile_updated'
  | 'user.suspended'
  | 'user.unsuspended'
  | 'user.deleted'
  | 'user.restored'
  | 'user.erased'
  | 'user.data_export_requested'
  | 'user.data_exported'
  | 'user.data_key_rotated'
  | 'user.messages_viewed'
  | 'user.plan_changed'
  | 'user.limits_changed'
  | 'user.viewed'
  | 'user.impersonated'
  | 'deleted_users.listed'
  | 'users.listed'
  | 'session.revoked'
  | 'session.others_revoked'
  | 'session.reuse_detected'
  | 'api_key.created'
  | 'api_key.rotated'
  | 'api_key.revoked'
  | 'admin.signed_in'
  | 'admin.sign_in_failed'
  | 'admin.created'
  | 'admin.updated'
  | 'admin.disabled'
  | 'admin.signed_out'
  | 'admin.reauthenticated'
  | 'admin.password_reset_requested'
  | 'admin.password_reset'
  | 'admin.password_changed'
  | 'admin.invitation_accepted'
  | 'staff.signed_in'
  | 'staff.sign_in_failed'
  | 'staff.created'
  | 'staff.updated'
  | 'staff.disabled'
  | 'staff.signed_out'
  | 'staff.reauthenticated'
  | 'staff.password_reset_requested'
  | 'staff.password_reset'
  | 'staff.password_changed'
  | 'staff.invitation_accepted'
  | 'user.second_factor_started'
  | 'user.second_factor_enabled'
  | 'user.second_factor_disabled'
  | 'user.second_factor_removed'
  | 'user.second_factor_failed'
  | 'user.backup_codes_replaced'
  | 'admin.second_factor_started'
  | 'admin.second_factor_enabled'
  | 'admin.second_factor_disabled'
  | 'admin.second_factor_removed'
  | 'admin.second_factor_failed'
  | 'admin.backup_codes_replaced'
  | 'staff.second_factor_started'
  | 'staff.second_factor_enabled'
  | 'staff.second_factor_disabled'
  | 'staff.second_factor_removed'
  | 'staff.second_factor_failed'
  | 'staff.backup_codes_replaced'
  | 'user.listed'
  | 'user.note_added'
  | 'user.unlocked'
  | 'user.sessions_ended'
  | 'users.sessions_ended'
  | 'user.credits_adjusted'
  | 'user.verification_resent'
  | 'service.created'
  | 'service.updated'
  | 'service.disabled'
  | 'service.key_rotated'
  | 'audit.viewed'
  | 'request.traced'
  | 'billing.ordered'
  | 'billing.subscription_cancelled'
  | 'billing.subscription_resumed'
  | 'billing.setup_started'
  | 'billing.payment_method_removed'
  | 'billing.portal_opened'
  | 'billing.reconciled'
  | 'payments.viewed'
  | 'product.created'
  | 'product.updated'
  | 'product.archived'
  | 'plan.created'
  | 'plan.updated'
  | 'signing_key.created'
  | 'signing_key.rotated'
  | 'ip_rule.added'
  | 'ip_rule.removed'
  | 'email.test_sent'
  | 'email.retried'
  | 'email_deliveries.listed'
  | 'webhook_endpoint.created'
  | 'webhook_endpoint.updated'
  | 'webhook_endpoint.disabled'
  | 'webhook_endpoint.deleted'
  | 'webhook_endpoint.secret_rotated'
  | 'webhook_delivery.redelivered'
  | 'user.created'
  | 'user.imported'
  | 'user.updated';

export interface AuditEntry {
  actor: Actor;
  action: AuditAction;
  /** The person whose security history shows it. */
  userId?: string | undefined;
  target?: { kind: string; id: string } | undefined;
  before?: Record<string, unknown> | undefined;
  after?: Record<string, unknown> | undefined;
  reason?: string | undefined;
}

/** Writes one row. Call it inside the transaction of the act: either both are there or neither is. */
export async function recordAudit(app: App, entry: AuditEntry): Promise<void> {
  await app.db.insert(auditEvents).values(auditRow(app, entry));
}

/** Writes a row for each, in one statement: an act that concerns many people stands in the history of each. */
export async function recordAudits(app: App, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length > 0) await app.db.insert(auditEvents).values(entries.map((entry) => auditRow(app, entry)));
}

/** What `recordAudit` writes, for a statement that does more: see `runTogether`. */
export function auditRow(app: App, entry: AuditEntry): typeof auditEvents.$inferInsert {
  const { actor, target } = entry;
  return {
    id: newId(),
    occurredAt: app.now(),
    actorKind: actor.kind,
    actorId: actor.id,
    action: entry.action,
    targetKind: target?.kind ?? null,
    targetId: target?.id ?? null,
    userId: entry.userId ?? null,
    before: entry.before ?? null,
    after: entry.after ?? null,
    reason: entry.reason ?? null,
    ip: actor.ip,
    userAgent: actor.userAgent,
    requestId: actor.requestId,
  };
}

/** What concerns each person. */
export const securityHistoryOfUsers: NestedList<AuditEventRow> = {
  table: auditEvents,
  columns: { parent: auditEvents.userId, time: auditEvents.occurredAt, id: auditEvents.id },
  parentOf: (row) => row.userId,
  keyOf: (row) => [row.occurredAt, row.id],
};
