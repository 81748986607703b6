DO $migration$
DECLARE
  change text[];
  before text := pg_get_functiondef('apply_credit_movements(jsonb, timestamptz, int, bigint, boolean)'::regprocedure);
  after text;
BEGIN
  FOREACH change SLICE 1 IN ARRAY ARRAY[
    [$old$patience integer, low_at bigint DEFAULT 0, has_bus boolean DEFAULT false)$old$,
     $new$patience integer)$new$],
    [$old$
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
     SET balance = after.balance$old$,
     $new$
  UPDATE credit_accounts a
     SET balance = after.balance$new$]
  ] LOOP
    after := replace(before, change[1], change[2]);
    IF after = before THEN
      RAISE EXCEPTION 'apply_credit_movements does not hold: %', change[1];
    END IF;
    before := after;
  END LOOP;
  DROP FUNCTION apply_credit_movements(jsonb, timestamptz, int, bigint, boolean);
  EXECUTE after;
END
$migration$;
--> statement-breakpoint
DROP TABLE webhook_deliveries;
--> statement-breakpoint
DROP TABLE webhook_endpoints;
--> statement-breakpoint
DROP TABLE outbox_events;
