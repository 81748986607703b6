-- What the older build cannot hold goes first: staff, and who left stays shut out.
-- An impersonation would become a session of the person without its limits.
DELETE FROM "sessions" WHERE "staff_id" IS NOT NULL OR "impersonator_id" IS NOT NULL;--> statement-breakpoint
DELETE FROM "email_tokens" WHERE "staff_id" IS NOT NULL;--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_status";--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_deletion";--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_own_limits";--> statement-breakpoint
UPDATE "users" SET "status" = 'SUSPENDED', "suspended_at" = "deleted_at" WHERE "status" = 'DELETED';--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "conversations_per_day";--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "messages_per_day";--> statement-breakpoint
ALTER TABLE "users" DROP COLUMN "deleted_at";--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_status" CHECK ("users"."status" in ('ACTIVE', 'SUSPENDED'));--> statement-breakpoint
ALTER TABLE "sessions" DROP CONSTRAINT "sessions_one_owner";--> statement-breakpoint
ALTER TABLE "sessions" DROP CONSTRAINT "sessions_impersonation";--> statement-breakpoint
ALTER TABLE "sessions" DROP COLUMN "staff_id";--> statement-breakpoint
ALTER TABLE "sessions" DROP COLUMN "impersonator_id";--> statement-breakpoint
ALTER TABLE "sessions" DROP COLUMN "impersonation_reason";--> statement-breakpoint
ALTER TABLE "sessions" DROP COLUMN "read_only";--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_one_owner" CHECK (num_nonnulls("sessions"."user_id", "sessions"."admin_id") = 1);--> statement-breakpoint
ALTER TABLE "email_tokens" DROP CONSTRAINT "email_tokens_one_owner";--> statement-breakpoint
ALTER TABLE "email_tokens" DROP COLUMN "staff_id";--> statement-breakpoint
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_one_owner" CHECK (num_nonnulls("email_tokens"."user_id", "email_tokens"."admin_id") = 1);--> statement-breakpoint
ALTER TABLE "plans" DROP COLUMN "product_id";--> statement-breakpoint
ALTER TABLE "plans" DROP COLUMN "archived_at";--> statement-breakpoint
DROP TABLE "active_days";--> statement-breakpoint
DROP INDEX "credit_transactions_time";--> statement-breakpoint
DROP INDEX "outbox_emails_dead";--> statement-breakpoint
DROP TABLE "user_notes";--> statement-breakpoint
DROP TABLE "deleted_users";--> statement-breakpoint
DROP TABLE "data_keys";--> statement-breakpoint
DROP TABLE "ip_rules";--> statement-breakpoint
DROP TABLE "message_logs";--> statement-breakpoint
DROP TABLE "prices";--> statement-breakpoint
DROP TABLE "products";--> statement-breakpoint
DROP TABLE "totp_factors";--> statement-breakpoint
DROP TABLE "second_factor_challenges";--> statement-breakpoint
DROP TABLE "backup_codes";--> statement-breakpoint
DROP TABLE "staff_members";--> statement-breakpoint
DROP TABLE "audit_unlinked";--> statement-breakpoint
DROP TABLE "audit_links";--> statement-breakpoint
DROP INDEX "audit_events_actor";--> statement-breakpoint
DROP INDEX "audit_events_target";--> statement-breakpoint
DROP INDEX "audit_events_request";--> statement-breakpoint
DROP INDEX "audit_events_action";--> statement-breakpoint
CREATE INDEX "audit_events_action" ON "audit_events" USING btree ("action","occurred_at");--> statement-breakpoint
ALTER TABLE "outbox_emails" DROP COLUMN "request_id";
