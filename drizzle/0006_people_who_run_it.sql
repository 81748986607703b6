CREATE TABLE "audit_links" (
	"sequence" bigint PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"previous_hash" text NOT NULL,
	"hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_unlinked" (
	"event_id" uuid PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE TABLE "backup_codes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid,
	"admin_id" uuid,
	"staff_id" uuid,
	"code_hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"used_at" timestamp with time zone,
	CONSTRAINT "backup_codes_one_owner" CHECK (num_nonnulls("backup_codes"."user_id", "backup_codes"."admin_id", "backup_codes"."staff_id") = 1)
);
--> statement-breakpoint
CREATE TABLE "second_factor_challenges" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid,
	"admin_id" uuid,
	"staff_id" uuid,
	"token_hash" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"used_at" timestamp with time zone,
	CONSTRAINT "second_factor_challenges_one_owner" CHECK (num_nonnulls("second_factor_challenges"."user_id", "second_factor_challenges"."admin_id", "second_factor_challenges"."staff_id") = 1)
);
--> statement-breakpoint
CREATE TABLE "totp_factors" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid,
	"admin_id" uuid,
	"staff_id" uuid,
	"sealed_secret" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"confirmed_at" timestamp with time zone,
	"last_step" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "totp_factors_one_owner" CHECK (num_nonnulls("totp_factors"."user_id", "totp_factors"."admin_id", "totp_factors"."staff_id") = 1)
);
--> statement-breakpoint
CREATE TABLE "prices" (
	"id" uuid PRIMARY KEY NOT NULL,
	"product_id" uuid NOT NULL,
	"currency" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"interval" text NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"stripe_price_id" text,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "prices_currency" CHECK ("prices"."currency" ~ '^[A-Z]{3}$'),
	CONSTRAINT "prices_amount" CHECK ("prices"."amount_minor" >= 0),
	CONSTRAINT "prices_interval" CHECK ("prices"."interval" in ('ONCE', 'MONTH', 'YEAR'))
);
--> statement-breakpoint
CREATE TABLE "products" (
	"id" uuid PRIMARY KEY NOT NULL,
	"code" text NOT NULL,
	"name" text NOT NULL,
	"description" text,
	"kind" text NOT NULL,
	"credits_granted" bigint DEFAULT 0 NOT NULL,
	"images" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"stripe_product_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"archived_at" timestamp with time zone,
	CONSTRAINT "products_code_form" CHECK ("products"."code" ~ '^[a-z][a-z0-9_-]{0,39}$'),
	CONSTRAINT "products_kind" CHECK ("products"."kind" in ('CREDIT_PACK', 'SUBSCRIPTION', 'OTHER')),
	CONSTRAINT "products_credits" CHECK ("products"."credits_granted" >= 0)
);
--> statement-breakpoint
CREATE TABLE "data_keys" (
	"user_id" uuid NOT NULL,
	"generation" integer NOT NULL,
	"sealed_key" text,
	"created_at" timestamp with time zone NOT NULL,
	"destroyed_at" timestamp with time zone,
	CONSTRAINT "data_keys_user_id_generation_pk" PRIMARY KEY("user_id","generation"),
	CONSTRAINT "data_keys_generation" CHECK ("data_keys"."generation" >= 1),
	CONSTRAINT "data_keys_destroyed" CHECK (("data_keys"."sealed_key" is null) = ("data_keys"."destroyed_at" is not null))
);
--> statement-breakpoint
CREATE TABLE "message_logs" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"service_id" uuid NOT NULL,
	"conversation_id" text,
	"model" text NOT NULL,
	"sealed_content" text NOT NULL,
	"input_tokens" integer NOT NULL,
	"output_tokens" integer NOT NULL,
	"message_count" integer NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "message_logs_counts" CHECK ("message_logs"."input_tokens" >= 0 and "message_logs"."output_tokens" >= 0 and "message_logs"."message_count" > 0)
);
--> statement-breakpoint
CREATE TABLE "ip_rules" (
	"id" uuid PRIMARY KEY NOT NULL,
	"action" text NOT NULL,
	"scope" text NOT NULL,
	"service_id" uuid,
	"api_key_id" uuid,
	"cidr" "cidr" NOT NULL,
	"note" text,
	"created_by" uuid,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ip_rules_action" CHECK ("ip_rules"."action" in ('ALLOW', 'DENY')),
	CONSTRAINT "ip_rules_scope_known" CHECK ("ip_rules"."scope" in ('EVERYTHING', 'OPERATOR_SIGN_IN', 'SERVICE', 'API_KEY')),
	CONSTRAINT "ip_rules_service" CHECK (("ip_rules"."scope" = 'SERVICE') = ("ip_rules"."service_id" is not null)),
	CONSTRAINT "ip_rules_api_key" CHECK (("ip_rules"."scope" = 'API_KEY') = ("ip_rules"."api_key_id" is not null))
);
--> statement-breakpoint
CREATE TABLE "deleted_users" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"sealed_snapshot" text,
	"deleted_at" timestamp with time zone NOT NULL,
	"deleted_by_kind" text NOT NULL,
	"deleted_by_id" uuid,
	"reason" text,
	"purge_at" timestamp with time zone NOT NULL,
	"erased_at" timestamp with time zone,
	CONSTRAINT "deleted_users_erased" CHECK (("deleted_users"."erased_at" is null) = ("deleted_users"."sealed_snapshot" is not null) and ("deleted_users"."erased_at" is null or "deleted_users"."reason" is null))
);
--> statement-breakpoint
CREATE TABLE "staff_members" (
	"id" uuid PRIMARY KEY NOT NULL,
	"username" text NOT NULL,
	"username_key" text NOT NULL,
	"email" text NOT NULL,
	"email_key" text NOT NULL,
	"password_hash" text,
	"level" integer NOT NULL,
	"disabled_at" timestamp with time zone,
	"created_by" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"last_login_at" timestamp with time zone,
	CONSTRAINT "staff_members_level" CHECK ("staff_members"."level" between 1 and 3),
	CONSTRAINT "staff_members_keys_lower" CHECK ("staff_members"."username_key" = lower("staff_members"."username_key") and "staff_members"."email_key" = lower("staff_members"."email_key"))
);
--> statement-breakpoint
CREATE TABLE "user_notes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"author_kind" text NOT NULL,
	"author_id" uuid NOT NULL,
	"text" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "active_days" (
	"day" date NOT NULL,
	"user_id" uuid NOT NULL,
	CONSTRAINT "active_days_day_user_id_pk" PRIMARY KEY("day","user_id")
);
--> statement-breakpoint
ALTER TABLE "email_tokens" DROP CONSTRAINT "email_tokens_one_owner";--> statement-breakpoint
ALTER TABLE "sessions" DROP CONSTRAINT "sessions_one_owner";--> statement-breakpoint
ALTER TABLE "users" DROP CONSTRAINT "users_status";--> statement-breakpoint
DROP INDEX "audit_events_action";--> statement-breakpoint
ALTER TABLE "email_tokens" ADD COLUMN "staff_id" uuid;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "staff_id" uuid;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "impersonator_id" uuid;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "impersonation_reason" text;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "read_only" boolean DEFAULT false NOT NULL;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "conversations_per_day" integer;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "messages_per_day" integer;--> statement-breakpoint
ALTER TABLE "users" ADD COLUMN "deleted_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "product_id" uuid;--> statement-breakpoint
ALTER TABLE "plans" ADD COLUMN "archived_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "outbox_emails" ADD COLUMN "request_id" text;--> statement-breakpoint
ALTER TABLE "backup_codes" ADD CONSTRAINT "backup_codes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "backup_codes" ADD CONSTRAINT "backup_codes_admin_id_admins_id_fk" FOREIGN KEY ("admin_id") REFERENCES "public"."admins"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "backup_codes" ADD CONSTRAINT "backup_codes_staff_id_staff_members_id_fk" FOREIGN KEY ("staff_id") REFERENCES "public"."staff_members"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "second_factor_challenges" ADD CONSTRAINT "second_factor_challenges_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "second_factor_challenges" ADD CONSTRAINT "second_factor_challenges_admin_id_admins_id_fk" FOREIGN KEY ("admin_id") REFERENCES "public"."admins"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "second_factor_challenges" ADD CONSTRAINT "second_factor_challenges_staff_id_staff_members_id_fk" FOREIGN KEY ("staff_id") REFERENCES "public"."staff_members"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "totp_factors" ADD CONSTRAINT "totp_factors_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "totp_factors" ADD CONSTRAINT "totp_factors_admin_id_admins_id_fk" FOREIGN KEY ("admin_id") REFERENCES "public"."admins"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "totp_factors" ADD CONSTRAINT "totp_factors_staff_id_staff_members_id_fk" FOREIGN KEY ("staff_id") REFERENCES "public"."staff_members"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "prices" ADD CONSTRAINT "prices_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "data_keys" ADD CONSTRAINT "data_keys_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "message_logs" ADD CONSTRAINT "message_logs_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ip_rules" ADD CONSTRAINT "ip_rules_service_id_services_id_fk" FOREIGN KEY ("service_id") REFERENCES "public"."services"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ip_rules" ADD CONSTRAINT "ip_rules_api_key_id_api_keys_id_fk" FOREIGN KEY ("api_key_id") REFERENCES "public"."api_keys"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "deleted_users" ADD CONSTRAINT "deleted_users_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "user_notes" ADD CONSTRAINT "user_notes_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "active_days" ADD CONSTRAINT "active_days_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "audit_links_event" ON "audit_links" USING btree ("event_id");--> statement-breakpoint
CREATE INDEX "backup_codes_user" ON "backup_codes" USING btree ("user_id");--> statement-breakpoint
CREATE INDEX "backup_codes_admin" ON "backup_codes" USING btree ("admin_id");--> statement-breakpoint
CREATE INDEX "backup_codes_staff" ON "backup_codes" USING btree ("staff_id");--> statement-breakpoint
CREATE UNIQUE INDEX "second_factor_challenges_hash" ON "second_factor_challenges" USING btree ("token_hash");--> statement-breakpoint
CREATE INDEX "second_factor_challenges_expires_at" ON "second_factor_challenges" USING btree ("expires_at");--> statement-breakpoint
CREATE UNIQUE INDEX "totp_factors_user" ON "totp_factors" USING btree ("user_id");--> statement-breakpoint
CREATE UNIQUE INDEX "totp_factors_admin" ON "totp_factors" USING btree ("admin_id");--> statement-breakpoint
CREATE UNIQUE INDEX "totp_factors_staff" ON "totp_factors" USING btree ("staff_id");--> statement-breakpoint
CREATE UNIQUE INDEX "prices_one_active" ON "prices" USING btree ("product_id","currency","interval") WHERE "prices"."active";--> statement-breakpoint
CREATE INDEX "prices_product" ON "prices" USING btree ("product_id");--> statement-breakpoint
CREATE UNIQUE INDEX "products_code" ON "products" USING btree ("code");--> statement-breakpoint
CREATE INDEX "message_logs_user" ON "message_logs" USING btree ("user_id","occurred_at","id");--> statement-breakpoint
CREATE INDEX "message_logs_created_at" ON "message_logs" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "ip_rules_created_at" ON "ip_rules" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "deleted_users_deleted_at" ON "deleted_users" USING btree ("deleted_at","user_id");--> statement-breakpoint
CREATE INDEX "deleted_users_purge" ON "deleted_users" USING btree ("purge_at") WHERE "deleted_users"."erased_at" is null;--> statement-breakpoint
CREATE UNIQUE INDEX "staff_members_username_key" ON "staff_members" USING btree ("username_key");--> statement-breakpoint
CREATE UNIQUE INDEX "staff_members_email_key" ON "staff_members" USING btree ("email_key");--> statement-breakpoint
CREATE INDEX "user_notes_user" ON "user_notes" USING btree ("user_id","created_at","id");--> statement-breakpoint
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_staff_id_staff_members_id_fk" FOREIGN KEY ("staff_id") REFERENCES "public"."staff_members"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_staff_id_staff_members_id_fk" FOREIGN KEY ("staff_id") REFERENCES "public"."staff_members"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_impersonator_id_admins_id_fk" FOREIGN KEY ("impersonator_id") REFERENCES "public"."admins"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "plans" ADD CONSTRAINT "plans_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_actor" ON "audit_events" USING btree ("actor_id","occurred_at","id") WHERE "audit_events"."actor_id" is not null;--> statement-breakpoint
CREATE INDEX "audit_events_target" ON "audit_events" USING btree ("target_id","occurred_at","id") WHERE "audit_events"."target_id" is not null;--> statement-breakpoint
CREATE INDEX "audit_events_request" ON "audit_events" USING btree ("request_id") WHERE "audit_events"."request_id" is not null;--> statement-breakpoint
CREATE INDEX "email_tokens_staff" ON "email_tokens" USING btree ("staff_id","purpose");--> statement-breakpoint
CREATE INDEX "sessions_staff" ON "sessions" USING btree ("staff_id","created_at","id");--> statement-breakpoint
CREATE INDEX "sessions_impersonator" ON "sessions" USING btree ("impersonator_id") WHERE "sessions"."impersonator_id" is not null;--> statement-breakpoint
CREATE INDEX "credit_transactions_time" ON "credit_transactions" USING brin ("created_at");--> statement-breakpoint
CREATE INDEX "outbox_emails_dead" ON "outbox_emails" USING btree ("created_at") WHERE "outbox_emails"."status" = 'DEAD';--> statement-breakpoint
CREATE INDEX "outbox_emails_request" ON "outbox_emails" USING btree ("request_id") WHERE "outbox_emails"."request_id" is not null;--> statement-breakpoint
CREATE INDEX "audit_events_action" ON "audit_events" USING btree ("action","occurred_at","id");--> statement-breakpoint
ALTER TABLE "email_tokens" ADD CONSTRAINT "email_tokens_one_owner" CHECK (num_nonnulls("email_tokens"."user_id", "email_tokens"."admin_id", "email_tokens"."staff_id") = 1);--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_impersonation" CHECK (("sessions"."method" = 'IMPERSONATION') = ("sessions"."impersonator_id" is not null));--> statement-breakpoint
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_one_owner" CHECK (num_nonnulls("sessions"."user_id", "sessions"."admin_id", "sessions"."staff_id") = 1);--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_deletion" CHECK (("users"."status" = 'DELETED') = ("users"."deleted_at" is not null));--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_own_limits" CHECK ("users"."conversations_per_day" >= 0 and "users"."messages_per_day" >= 0);--> statement-breakpoint
ALTER TABLE "users" ADD CONSTRAINT "users_status" CHECK ("users"."status" in ('ACTIVE', 'SUSPENDED', 'DELETED'));