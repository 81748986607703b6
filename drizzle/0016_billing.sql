CREATE SEQUENCE "public"."stripe_reads" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "billing_customers" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"stripe_customer_id" text,
	"status" text DEFAULT 'OPEN' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	CONSTRAINT "billing_customers_status" CHECK ("billing_customers"."status" in ('OPEN', 'CLOSING', 'CLOSED', 'ERASING', 'ERASED')),
	CONSTRAINT "billing_customers_work" CHECK (("billing_customers"."status" in ('CLOSING', 'ERASING')) = ("billing_customers"."next_attempt_at" is not null))
);
--> statement-breakpoint
CREATE TABLE "billing_orders" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"scope" text NOT NULL,
	"idempotency_key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"kind" text NOT NULL,
	"price_id" uuid NOT NULL,
	"quantity" integer NOT NULL,
	"amount_minor" bigint NOT NULL,
	"credits" bigint DEFAULT 0 NOT NULL,
	"status" text DEFAULT 'OPEN' NOT NULL,
	"stripe_id" text,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "billing_orders_key" UNIQUE("scope","idempotency_key"),
	CONSTRAINT "billing_orders_kind" CHECK ("billing_orders"."kind" in ('CHECKOUT', 'SUBSCRIPTION', 'CHANGE')),
	CONSTRAINT "billing_orders_status" CHECK ("billing_orders"."status" in ('OPEN', 'COMPLETED', 'EXPIRED')),
	CONSTRAINT "billing_orders_quantity" CHECK ("billing_orders"."quantity" between 1 and 1000),
	CONSTRAINT "billing_orders_amount" CHECK ("billing_orders"."amount_minor" >= 0 and "billing_orders"."credits" >= 0)
);
--> statement-breakpoint
CREATE TABLE "payment_reversals" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"payment_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"stripe_id" text NOT NULL,
	"stripe_status" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"effective" boolean NOT NULL,
	"credits_taken" bigint DEFAULT 0 NOT NULL,
	"credits_owed" bigint DEFAULT 0 NOT NULL,
	"movements" integer DEFAULT 0 NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "payment_reversals_kind" CHECK ("payment_reversals"."kind" in ('REFUND', 'DISPUTE')),
	CONSTRAINT "payment_reversals_amounts" CHECK ("payment_reversals"."amount_minor" >= 0 and "payment_reversals"."credits_taken" >= 0 and "payment_reversals"."credits_owed" >= 0)
);
--> statement-breakpoint
CREATE TABLE "payments" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"stripe_id" text NOT NULL,
	"payment_intent_id" text,
	"order_id" uuid,
	"subscription_id" uuid,
	"product_id" uuid,
	"currency" text NOT NULL,
	"amount_minor" bigint NOT NULL,
	"reversed_minor" bigint DEFAULT 0 NOT NULL,
	"status" text NOT NULL,
	"credits_granted" bigint DEFAULT 0 NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"paid_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"read_number" bigint DEFAULT 0 NOT NULL,
	"reversals_read_number" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "payments_kind" CHECK ("payments"."kind" in ('CHECKOUT', 'INVOICE')),
	CONSTRAINT "payments_status" CHECK ("payments"."status" in ('PENDING', 'SUCCEEDED', 'FAILED', 'CANCELED')),
	CONSTRAINT "payments_paid_at" CHECK (("payments"."status" = 'SUCCEEDED') = ("payments"."paid_at" is not null)),
	CONSTRAINT "payments_currency" CHECK ("payments"."currency" ~ '^[A-Z]{3}$'),
	CONSTRAINT "payments_amounts" CHECK ("payments"."amount_minor" >= 0 and "payments"."reversed_minor" between 0 and "payments"."amount_minor"),
	CONSTRAINT "payments_counts" CHECK ("payments"."credits_granted" >= 0 and "payments"."failures" >= 0)
);
--> statement-breakpoint
CREATE TABLE "stripe_events" (
	"id" text PRIMARY KEY NOT NULL,
	"type" text NOT NULL,
	"subject_kind" text,
	"subject_id" text,
	"status" text NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"last_error" text,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	"done_at" timestamp with time zone,
	CONSTRAINT "stripe_events_status" CHECK ("stripe_events"."status" in ('PENDING', 'DONE', 'IGNORED', 'DEAD')),
	CONSTRAINT "stripe_events_done" CHECK (("stripe_events"."status" = 'DONE') = ("stripe_events"."done_at" is not null)),
	CONSTRAINT "stripe_events_subject" CHECK (("stripe_events"."subject_kind" is null) = ("stripe_events"."subject_id" is null))
);
--> statement-breakpoint
CREATE TABLE "subscriptions" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"stripe_subscription_id" text NOT NULL,
	"price_id" uuid,
	"product_id" uuid,
	"status" text NOT NULL,
	"plan_code" text,
	"current_period_start" timestamp with time zone,
	"current_period_end" timestamp with time zone,
	"cancel_at_period_end" boolean DEFAULT false NOT NULL,
	"next_price_id" uuid,
	"canceled_at" timestamp with time zone,
	"ended_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"read_number" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "subscriptions_status" CHECK ("subscriptions"."status" in ('INCOMPLETE', 'INCOMPLETE_EXPIRED', 'TRIALING', 'ACTIVE', 'PAST_DUE', 'CANCELED', 'UNPAID', 'PAUSED'))
);
--> statement-breakpoint
ALTER TABLE "products" ADD COLUMN "stripe_updated_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "billing_customers" ADD CONSTRAINT "billing_customers_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "billing_orders" ADD CONSTRAINT "billing_orders_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "billing_orders" ADD CONSTRAINT "billing_orders_price_id_prices_id_fk" FOREIGN KEY ("price_id") REFERENCES "public"."prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payment_reversals" ADD CONSTRAINT "payment_reversals_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payment_reversals" ADD CONSTRAINT "payment_reversals_payment_id_payments_id_fk" FOREIGN KEY ("payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_order_id_billing_orders_id_fk" FOREIGN KEY ("order_id") REFERENCES "public"."billing_orders"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_subscription_id_subscriptions_id_fk" FOREIGN KEY ("subscription_id") REFERENCES "public"."subscriptions"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_price_id_prices_id_fk" FOREIGN KEY ("price_id") REFERENCES "public"."prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_product_id_products_id_fk" FOREIGN KEY ("product_id") REFERENCES "public"."products"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_plan_code_plans_code_fk" FOREIGN KEY ("plan_code") REFERENCES "public"."plans"("code") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "subscriptions" ADD CONSTRAINT "subscriptions_next_price_id_prices_id_fk" FOREIGN KEY ("next_price_id") REFERENCES "public"."prices"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "billing_customers_stripe_id" ON "billing_customers" USING btree ("stripe_customer_id");--> statement-breakpoint
CREATE INDEX "billing_customers_due" ON "billing_customers" USING btree ("next_attempt_at") WHERE "billing_customers"."status" in ('CLOSING', 'ERASING');--> statement-breakpoint
CREATE INDEX "billing_orders_stripe_id" ON "billing_orders" USING btree ("stripe_id");--> statement-breakpoint
CREATE INDEX "billing_orders_user" ON "billing_orders" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "billing_orders_one_open" ON "billing_orders" USING btree ("user_id") WHERE "billing_orders"."kind" <> 'CHECKOUT' and "billing_orders"."status" = 'OPEN';--> statement-breakpoint
CREATE UNIQUE INDEX "payment_reversals_stripe_id" ON "payment_reversals" USING btree ("stripe_id");--> statement-breakpoint
CREATE INDEX "payment_reversals_payment" ON "payment_reversals" USING btree ("payment_id");--> statement-breakpoint
CREATE INDEX "payment_reversals_owed" ON "payment_reversals" USING btree ("user_id","created_at") WHERE "payment_reversals"."credits_owed" > 0;--> statement-breakpoint
CREATE UNIQUE INDEX "payments_stripe_id" ON "payments" USING btree ("stripe_id");--> statement-breakpoint
CREATE UNIQUE INDEX "payments_payment_intent" ON "payments" USING btree ("payment_intent_id");--> statement-breakpoint
CREATE INDEX "payments_user" ON "payments" USING btree ("user_id","created_at","id");--> statement-breakpoint
CREATE INDEX "payments_time" ON "payments" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "payments_paid" ON "payments" USING btree ("paid_at");--> statement-breakpoint
CREATE INDEX "stripe_events_due" ON "stripe_events" USING btree ("next_attempt_at") WHERE "stripe_events"."status" = 'PENDING';--> statement-breakpoint
CREATE INDEX "stripe_events_dead" ON "stripe_events" USING btree ("received_at") WHERE "stripe_events"."status" = 'DEAD';--> statement-breakpoint
CREATE UNIQUE INDEX "subscriptions_stripe_id" ON "subscriptions" USING btree ("stripe_subscription_id");--> statement-breakpoint
CREATE INDEX "subscriptions_user" ON "subscriptions" USING btree ("user_id","created_at");--> statement-breakpoint
CREATE UNIQUE INDEX "prices_stripe_id" ON "prices" USING btree ("stripe_price_id");