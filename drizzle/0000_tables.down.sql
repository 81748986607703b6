DROP TABLE "usage_counters" CASCADE;
DROP TABLE "services" CASCADE;
DROP TABLE "service_keys" CASCADE;
DROP TABLE "outbox_emails" CASCADE;
DROP TABLE "idempotency_keys" CASCADE;
DROP TABLE "credit_transactions" CASCADE;
DROP TABLE "credit_holds" CASCADE;
DROP TABLE "credit_accounts" CASCADE;
DROP TABLE "plans" CASCADE;
DROP TABLE "users" CASCADE;
DROP TABLE "signing_keys" CASCADE;
DROP TABLE "sessions" CASCADE;
DROP TABLE "recovery_phrases" CASCADE;
DROP TABLE "login_failures" CASCADE;
DROP TABLE "email_tokens" CASCADE;
DROP TABLE "api_keys" CASCADE;
DROP TABLE "audit_events" CASCADE;
DROP TABLE "admins" CASCADE;
--> statement-breakpoint
-- The job queue makes its own tables at each start (pg-boss, which brings them up to date itself): with ours gone, theirs
-- are of no use.
DROP SCHEMA IF EXISTS "pgboss" CASCADE;
