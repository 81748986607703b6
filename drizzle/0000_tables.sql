CREATE TABLE "admins" (
	"id" uuid PRIMARY KEY NOT NULL,
	"username" text NOT NULL,
	"username_key" text NOT NULL,
	"email" text NOT NULL,
	"email_key" text NOT NULL,
	"password_hash" text,
	"permissions" text[] NOT NULL,
	"disabled_at" timestamp with time zone,
	"created_by" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"last_login_at" timestamp with time zone,
	CONSTRAINT "admins_keys_lower" CHECK ("admins"."username_key" = lower("admins"."username_key") and "admins"."email_key" = lower("admins"."email_key"))
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"actor_kind" text NOT NULL,
	"actor_id" uuid,
	"action" text NOT NULL,
	"target_kind" text,
	"target_id" text,
	"user_id" uuid,
	"before" jsonb,
	"after" jsonb,
	"reason" text,
	"ip" text,
	"user_agent" text,
	"request_id" text
);
--> statement-breakpoint
CREATE TABLE "api_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"name" text NOT NULL,
	"key_hash" text NOT NULL,
	"start" text NOT NULL,
	"scopes" text[] NOT NULL,
	"ip_allow_list" text[] NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"rotated_from" uuid
);
--> statement-breakpoint
CREATE TABLE "email_tokens" (
	"id" uuid PRIMARY KEY NOT NULL,
	"purpose" text NOT NULL,
	"token_hash" text NOT NULL,
	"user_id" uuid,
	"admin_id" uuid,
	"email" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	"voided_at" timestamp with time zone,
	CONSTRAINT "email_tokens_one_owner" CHECK (num_nonnulls("email_tokens"."user_id", "email_tokens"."admin_id") = 1),
	CONSTRAINT "email_tokens_end" CHECK (num_nonnulls("email_tokens"."used_at", "email_tokens"."voided_at") <= 1)
);
--> statement-breakpoint
CREATE TABLE "login_failures" (
	"key" text PRIMARY KEY NOT NULL,
	"failures" integer NOT NULL,
	"first_at" timestamp with time zone NOT NULL,
	"last_at" timestamp with time zone NOT NULL,
	"blocked_until" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "recovery_phrases" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"phrase_hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sessions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid,
	"admin_id" uuid,
	"method" text NOT NULL,
	"refresh_hash" text NOT NULL,
	"previous_hash" text,
	"rotated_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"last_used_at" timestamp with time zone NOT NULL,
	"authenticated_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"ends_at" timestamp with time zone NOT NULL,
	"ip" text,
	"user_agent" text,
	"revoked_at" timestamp with time zone,
	"revoked_reason" text,
	CONSTRAINT "sessions_one_owner" CHECK (num_nonnulls("sessions"."user_id", "sessions"."admin_id") = 1),
	CONSTRAINT "sessions_expiry" CHECK ("sessions"."expires_at" <= "sessions"."ends_at")
);
--> statement-breakpoint
CREATE TABLE "signing_keys" (
	"kid" text PRIMARY KEY NOT NULL,
	"algorithm" text NOT NULL,
	"state" text NOT NULL,
	"public_jwk" text NOT NULL,
	"sealed_private_jwk" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"retired_at" timestamp with time zone,
	CONSTRAINT "signing_keys_state" CHECK ("signing_keys"."state" in ('NEXT', 'CURRENT', 'PREVIOUS', 'RETIRED'))
);
--> statement-breakpoint
CREATE TABLE "users" (
	"id" uuid PRIMARY KEY NOT NULL,
	"username" text NOT NULL,
	"username_key" text NOT NULL,
	"email" text NOT NULL,
	"email_key" text NOT NULL,
	"email_verified_at" timestamp with time zone,
	"password_hash" text,
	"display_name" text,
	"locale" text DEFAULT 'en' NOT NULL,
	"time_zone" text DEFAULT 'UTC' NOT NULL,
	"avatar_url" text,
	"plan_code" text DEFAULT 'free' NOT NULL,
	"status" text DEFAULT 'ACTIVE' NOT NULL,
	"suspended_at" timestamp with time zone,
	"suspended_until" timestamp with time zone,
	"suspension_reason" text,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"last_login_at" timestamp with time zone,
	CONSTRAINT "users_keys_lower" CHECK ("users"."username_key" = lower("users"."username_key") and "users"."email_key" = lower("users"."email_key")),
	CONSTRAINT "users_status" CHECK ("users"."status" in ('ACTIVE', 'SUSPENDED')),
	CONSTRAINT "users_suspension" CHECK (("users"."status" = 'SUSPENDED') = ("users"."suspended_at" is not null))
);
--> statement-breakpoint
CREATE TABLE "plans" (
	"code" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"conversations_per_day" integer,
	"messages_per_day" integer,
	"monthly_credits" bigint DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "plans_code_form" CHECK ("plans"."code" ~ '^[a-z][a-z0-9_-]{0,39}$'),
	CONSTRAINT "plans_not_negative" CHECK ("plans"."conversations_per_day" >= 0 and "plans"."messages_per_day" >= 0 and "plans"."monthly_credits" >= 0)
);
--> statement-breakpoint
CREATE TABLE "credit_accounts" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"balance" bigint DEFAULT 0 NOT NULL,
	"held" bigint DEFAULT 0 NOT NULL,
	"version" bigint DEFAULT 0 NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "credit_accounts_balance" CHECK ("credit_accounts"."balance" between 0 and 9007199254740991),
	CONSTRAINT "credit_accounts_held" CHECK ("credit_accounts"."held" between 0 and "credit_accounts"."balance"),
	CONSTRAINT "credit_accounts_version" CHECK ("credit_accounts"."version" >= 0)
);
--> statement-breakpoint
CREATE TABLE "credit_holds" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"owner_kind" text NOT NULL,
	"owner_id" uuid,
	"amount" bigint NOT NULL,
	"captured_amount" bigint,
	"status" text DEFAULT 'ACTIVE' NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"description" text,
	"reference_type" text,
	"reference_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"resolved_at" timestamp with time zone,
	CONSTRAINT "credit_holds_user_id" UNIQUE("user_id","id"),
	CONSTRAINT "credit_holds_amount" CHECK ("credit_holds"."amount" > 0),
	CONSTRAINT "credit_holds_status" CHECK ("credit_holds"."status" in ('ACTIVE', 'CAPTURED', 'RELEASED', 'EXPIRED')),
	CONSTRAINT "credit_holds_resolved" CHECK (("credit_holds"."status" = 'ACTIVE') = ("credit_holds"."resolved_at" is null)),
	CONSTRAINT "credit_holds_captured" CHECK (("credit_holds"."status" = 'CAPTURED') = ("credit_holds"."captured_amount" is not null)),
	CONSTRAINT "credit_holds_captured_amount" CHECK ("credit_holds"."captured_amount" between 1 and "credit_holds"."amount")
);
--> statement-breakpoint
CREATE TABLE "credit_transactions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"version" bigint NOT NULL,
	"kind" text NOT NULL,
	"amount" bigint NOT NULL,
	"balance_after" bigint NOT NULL,
	"hold_id" uuid,
	"refunds_transaction_id" uuid,
	"description" text,
	"reference_type" text,
	"reference_id" text,
	"metadata" jsonb,
	"actor_kind" text NOT NULL,
	"actor_id" uuid,
	"request_id" text,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "credit_transactions_version" UNIQUE("user_id","version"),
	CONSTRAINT "credit_transactions_user_id" UNIQUE("user_id","id"),
	CONSTRAINT "credit_transactions_version_positive" CHECK ("credit_transactions"."version" >= 1),
	CONSTRAINT "credit_transactions_balance" CHECK ("credit_transactions"."balance_after" between 0 and 9007199254740991),
	CONSTRAINT "credit_transactions_sign" CHECK (case when "credit_transactions"."kind" in ('PURCHASE', 'GRANT', 'PLAN_GRANT', 'REFUND') then "credit_transactions"."amount" > 0 when "credit_transactions"."kind" in ('USE', 'CAPTURE', 'CLAWBACK', 'EXPIRY') then "credit_transactions"."amount" < 0 else "credit_transactions"."kind" = 'ADJUSTMENT' and "credit_transactions"."amount" <> 0 end),
	CONSTRAINT "credit_transactions_capture" CHECK (("credit_transactions"."kind" = 'CAPTURE') = ("credit_transactions"."hold_id" is not null)),
	CONSTRAINT "credit_transactions_refund_of" CHECK (("credit_transactions"."kind" = 'REFUND') = ("credit_transactions"."refunds_transaction_id" is not null))
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"scope" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"answer" jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "idempotency_keys_scope_key_pk" PRIMARY KEY("scope","key")
);
--> statement-breakpoint
CREATE TABLE "outbox_emails" (
	"id" uuid PRIMARY KEY NOT NULL,
	"idempotency_key" text NOT NULL,
	"kind" text NOT NULL,
	"recipient" text NOT NULL,
	"locale" text NOT NULL,
	"user_id" uuid,
	"ip_hash" text,
	"sealed_body" text,
	"status" text DEFAULT 'QUEUED' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"last_error" text,
	"created_at" timestamp with time zone NOT NULL,
	"sent_at" timestamp with time zone,
	CONSTRAINT "outbox_emails_status" CHECK ("outbox_emails"."status" in ('QUEUED', 'SENT', 'DEAD')),
	CONSTRAINT "outbox_emails_body" CHECK (("outbox_emails"."status" = 'QUEUED') = ("outbox_emails"."sealed_body" is not null)),
	CONSTRAINT "outbox_emails_sent" CHECK (("outbox_emails"."status" = 'SENT') = ("outbox_emails"."sent_at" is not null)),
	CONSTRAINT "outbox_emails_attempts" CHECK ("outbox_emails"."attempts" >= 0)
);
--> statement-breakpoint
CREATE TABLE "service_keys" (
	"id" uuid PRIMARY KEY NOT NULL,
	"service_id" uuid NOT NULL,
	"key_hash" text NOT NULL,
	"start" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "services" (
	"id" uuid PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"scopes" text[] NOT NULL,
	"disabled_at" timestamp with time zone,
	"created_by" uuid,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "usage_counters" (
	"user_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"day" date NOT NULL,
	"used" integer NOT NULL,
	CONSTRAINT "usage_counters_user_id_kind_day_pk" PRIMARY KEY("user_id","kind","day"),
	CONSTRAINT "usage_counters_positive" CHECK ("usage_counters"."used" > 0)
);
--> statement-breakpoint
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_admin_id_admins_id_fk" FOREIGN KEY ("admin_id") REFERENCES "public"."admins"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "recovery_phrases" ADD CONSTRAINT "recovery_phrases_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_admin_id_admins_id_fk" FOREIGN KEY ("admin_id") REFERENCES "public"."admins"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_plan_code_plans_code_fk" FOREIGN KEY ("plan_code") REFERENCES "public"."plans"("code") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_accounts" ADD CONSTRAINT "credit_accounts_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_holds" ADD CONSTRAINT "credit_holds_user_id_credit_accounts_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."credit_accounts"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_transactions" ADD CONSTRAINT "credit_transactions_user_id_credit_accounts_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."credit_accounts"("user_id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_transactions" ADD CONSTRAINT "credit_transactions_refund" FOREIGN KEY ("user_id","refunds_transaction_id") REFERENCES "public"."credit_transactions"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "credit_transactions" ADD CONSTRAINT "credit_transactions_hold" FOREIGN KEY ("user_id","hold_id") REFERENCES "public"."credit_holds"("user_id","id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "service_keys" ADD CONSTRAINT "service_keys_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "usage_counters" ADD CONSTRAINT "usage_counters_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "admins_username_key" ON "admins" USING btree ("username_key");--> statement-breakpoint
CREATE UNIQUE INDEX "admins_email_key" ON "admins" USING btree ("email_key");--> statement-breakpoint
CREATE INDEX "audit_events_user" ON "audit_events" USING btree ("user_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "audit_events_time" ON "audit_events" USING btree ("occurred_at","id");--> statement-breakpoint
CREATE INDEX "audit_events_action" ON "audit_events" USING btree ("action","occurred_at");--> statement-breakpoint
CREATE UNIQUE INDEX "api_keys_hash" ON "api_keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "api_keys_user" ON "api_keys" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE UNIQUE INDEX "email_tokens_hash" ON "email_tokens" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "email_tokens_user" ON "email_tokens" USING btree ("user_id","purpose");--> statement-breakpoint
CREATE INDEX "email_tokens_admin" ON "email_tokens" USING btree ("admin_id","purpose");--> statement-breakpoint
CREATE INDEX "login_failures_last_at" ON "login_failures" USING btree ("last_at");--> statement-breakpoint
CREATE INDEX "sessions_user" ON "sessions" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_admin" ON "sessions" USING btree ("admin_id","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_ends_at" ON "sessions" USING btree ("ends_at");--> statement-breakpoint
CREATE UNIQUE INDEX "signing_keys_one_current" ON "signing_keys" USING btree ("state") WHERE "signing_keys"."state" = 'CURRENT';--> statement-breakpoint
CREATE UNIQUE INDEX "users_username_key" ON "users" USING btree ("username_key");--> statement-breakpoint
CREATE UNIQUE INDEX "users_email_key" ON "users" USING btree ("email_key");--> statement-breakpoint
CREATE INDEX "users_created_at" ON "users" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "credit_holds_live" ON "credit_holds" USING btree ("user_id","expires_at") WHERE "credit_holds"."status" = 'ACTIVE';--> statement-breakpoint
CREATE INDEX "credit_holds_due" ON "credit_holds" USING btree ("expires_at") WHERE "credit_holds"."status" = 'ACTIVE';--> statement-breakpoint
CREATE UNIQUE INDEX "credit_transactions_one_capture" ON "credit_transactions" USING btree ("hold_id") WHERE "credit_transactions"."hold_id" is not null;--> statement-breakpoint
CREATE INDEX "credit_transactions_refunds" ON "credit_transactions" USING btree ("refunds_transaction_id") WHERE "credit_transactions"."refunds_transaction_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "outbox_emails_idempotency_key" ON "outbox_emails" USING btree ("idempotency_key");--> statement-breakpoint
CREATE INDEX "outbox_emails_queue" ON "outbox_emails" USING btree ("next_attempt_at") WHERE "outbox_emails"."status" = 'QUEUED';--> statement-breakpoint
CREATE INDEX "outbox_emails_recipient" ON "outbox_emails" USING btree (lower("recipient"),"created_at");--> statement-breakpoint
CREATE INDEX "outbox_emails_ip" ON "outbox_emails" USING btree ("ip_hash","created_at") WHERE "outbox_emails"."ip_hash" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "service_keys_hash" ON "service_keys" USING btree ("key_hash");--> statement-breakpoint
CREATE INDEX "service_keys_service" ON "service_keys" USING btree ("service_id");--> statement-breakpoint
CREATE UNIQUE INDEX "services_name" ON "services" USING btree ("name");