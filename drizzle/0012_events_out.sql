CREATE TABLE "outbox_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"user_id" uuid,
	"data" jsonb NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"spread_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "webhook_deliveries" (
	"id" uuid PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"target" text NOT NULL,
	"endpoint_id" uuid,
	"status" text DEFAULT 'QUEUED' NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"next_attempt_at" timestamp with time zone NOT NULL,
	"attempt_log" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"sent_at" timestamp with time zone,
	CONSTRAINT "webhook_deliveries_status" CHECK ("webhook_deliveries"."status" in ('QUEUED', 'SENT', 'FAILED')),
	CONSTRAINT "webhook_deliveries_target" CHECK ("webhook_deliveries"."target" in ('WEBHOOK', 'SNS', 'SQS')),
	CONSTRAINT "webhook_deliveries_to" CHECK (("webhook_deliveries"."target" = 'WEBHOOK') = ("webhook_deliveries"."endpoint_id" is not null)),
	CONSTRAINT "webhook_deliveries_sent" CHECK (("webhook_deliveries"."status" = 'SENT') = ("webhook_deliveries"."sent_at" is not null)),
	CONSTRAINT "webhook_deliveries_attempts" CHECK ("webhook_deliveries"."attempts" >= 0)
);
--> statement-breakpoint
CREATE TABLE "webhook_endpoints" (
	"id" uuid PRIMARY KEY NOT NULL,
	"url" text NOT NULL,
	"description" text,
	"kinds" text[] NOT NULL,
	"sealed_secret" text NOT NULL,
	"sealed_previous_secret" text,
	"previous_secret_ends_at" timestamp with time zone,
	"disabled_at" timestamp with time zone,
	"disabled_reason" text,
	"failures_in_a_row" integer DEFAULT 0 NOT NULL,
	"failing_since" timestamp with time zone,
	"created_by" uuid,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	CONSTRAINT "webhook_endpoints_disabled" CHECK (("webhook_endpoints"."disabled_at" is null) = ("webhook_endpoints"."disabled_reason" is null)),
	CONSTRAINT "webhook_endpoints_reason" CHECK ("webhook_endpoints"."disabled_reason" in ('ADMIN', 'GONE', 'FAILURES')),
	CONSTRAINT "webhook_endpoints_previous_secret" CHECK (("webhook_endpoints"."sealed_previous_secret" is null) = ("webhook_endpoints"."previous_secret_ends_at" is null)),
	CONSTRAINT "webhook_endpoints_failing" CHECK (("webhook_endpoints"."failures_in_a_row" = 0) = ("webhook_endpoints"."failing_since" is null))
);
--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_event" FOREIGN KEY ("event_id") REFERENCES "public"."outbox_events"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_endpoint" FOREIGN KEY ("endpoint_id") REFERENCES "public"."webhook_endpoints"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "outbox_events_queue" ON "outbox_events" USING btree ("occurred_at") WHERE "outbox_events"."spread_at" is null;--> statement-breakpoint
CREATE INDEX "outbox_events_time" ON "outbox_events" USING btree ("occurred_at");--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_deliveries_once" ON "webhook_deliveries" USING btree ("event_id","endpoint_id") WHERE "webhook_deliveries"."endpoint_id" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX "webhook_deliveries_once_a_bus" ON "webhook_deliveries" USING btree ("event_id","target") WHERE "webhook_deliveries"."endpoint_id" is null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_queue" ON "webhook_deliveries" USING btree ("endpoint_id","next_attempt_at") WHERE "webhook_deliveries"."status" = 'QUEUED';--> statement-breakpoint
CREATE INDEX "webhook_deliveries_bus_queue" ON "webhook_deliveries" USING btree ("target","next_attempt_at") WHERE "webhook_deliveries"."status" = 'QUEUED' and "webhook_deliveries"."endpoint_id" is null;--> statement-breakpoint
CREATE INDEX "webhook_deliveries_time" ON "webhook_deliveries" USING btree ("created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_of_endpoint" ON "webhook_deliveries" USING btree ("endpoint_id","created_at","id");--> statement-breakpoint
CREATE INDEX "webhook_deliveries_failed" ON "webhook_deliveries" USING btree ("created_at") WHERE "webhook_deliveries"."status" = 'FAILED';--> statement-breakpoint
CREATE INDEX "webhook_endpoints_created_at" ON "webhook_endpoints" USING btree ("created_at","id");--> statement-breakpoint
-- Wakes the senders with the commit. Not for movements of credits, which may come by the thousand: commits that notify
-- take turns in the whole server, and senders look by themselves every second.
CREATE TRIGGER outbox_events_told
  AFTER INSERT ON outbox_events
  FOR EACH ROW WHEN (NEW.kind NOT LIKE 'credits.%')
  EXECUTE FUNCTION tell_change('credence_events');
--> statement-breakpoint
-- Movements are told in their own statement, and only when somebody listens: `has_bus` says that a topic or queue is
-- set, and a look at a table of a few rows whether an endpoint wants it. An event about a transaction bears its id; that
-- of `credits.low` differs in the version (UUIDv8, RFC 9562 5.8), so that both are the same however often they are made.
-- Otherwise as in 0011. The new parameters have defaults: an instance of the version before goes on calling it.
DO $migration$
DECLARE
  change text[];
  before text := pg_get_functiondef('apply_credit_movements(jsonb, timestamptz, int)'::regprocedure);
  after text;
BEGIN
  FOREACH change SLICE 1 IN ARRAY ARRAY[
    [$old$patience integer)$old$,
     $new$patience integer, low_at bigint DEFAULT 0, has_bus boolean DEFAULT false)$new$],
    [$old$
  UPDATE credit_accounts a
     SET balance = after.balance$old$,
     $new$
  IF has_bus OR EXISTS (SELECT FROM webhook_endpoints e WHERE e.kinds = '{}' OR e.kinds && '{credits.changed,credits.low}') THEN
    INSERT INTO outbox_events (id, kind, user_id, data, occurred_at)
    SELECT told.id, told.kind, users[places[i.n]], told.data, moment
      FROM unnest(movements) i
     CROSS JOIN LATERAL (VALUES
       (i.id, 'credits.changed', jsonb_build_object(
          'userId', users[places[i.n]], 'transactionId', i.id, 'kind', coalesce(i.kind, i.operation),
          'amount', deltas[i.n], 'balance', balances_after[i.n], 'version', versions_after[i.n])),
       (overlay(i.id::text PLACING '8' FROM 15)::uuid, 'credits.low', jsonb_build_object(
          'userId', users[places[i.n]], 'transactionId', i.id,
          'balance', balances_after[i.n], 'threshold', low_at))) told (id, kind, data)
     WHERE deltas[i.n] IS NOT NULL
       AND (told.kind = 'credits.changed' OR (balances_after[i.n] <= low_at AND balances_after[i.n] - deltas[i.n] > low_at))
       AND (has_bus OR EXISTS (SELECT FROM webhook_endpoints e WHERE e.kinds = '{}' OR told.kind = ANY (e.kinds)));
  END IF;

  UPDATE credit_accounts a
     SET balance = after.balance$new$]
  ] LOOP
    after := replace(before, change[1], change[2]);
    IF after = before THEN
      RAISE EXCEPTION 'apply_credit_movements does not hold: %', change[1];
    END IF;
    before := after;
  END LOOP;
  DROP FUNCTION apply_credit_movements(jsonb, timestamptz, int);
  EXECUTE after;
END
$migration$;
