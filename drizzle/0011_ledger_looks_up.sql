-- Each row that a batch needs is looked up by its index, whatever the planner believes about the tables. With the
-- statistics of an empty table it read all keys and all holds for each batch, until the next ANALYZE: a LIMIT keeps
-- it from turning a join round, and a second condition bounds what an update reads. Otherwise as in 0008.
DO $migration$
DECLARE
  change text[];
  before text := pg_get_functiondef('apply_credit_movements(jsonb, timestamptz, int)'::regprocedure);
  after text;
BEGIN
  FOREACH change SLICE 1 IN ARRAY ARRAY[
    [$old$FROM unnest(movements) i JOIN idempotency_keys k ON k.scope = i.scope AND k.key = i.key$old$,
     $new$FROM unnest(movements) i CROSS JOIN LATERAL (SELECT * FROM idempotency_keys k WHERE k.scope = i.scope AND k.key = i.key LIMIT 1) k$new$],
    [$old$LEFT JOIN credit_holds h ON h.id = i.hold_id$old$,
     $new$LEFT JOIN LATERAL (SELECT * FROM credit_holds h WHERE h.id = i.hold_id LIMIT 1) h ON true$new$],
    [$old$LEFT JOIN credit_accounts a ON a.user_id = named.user_id$old$,
     $new$LEFT JOIN LATERAL (SELECT * FROM credit_accounts a WHERE a.user_id = named.user_id LIMIT 1) a ON true$new$],
    [$old$LEFT JOIN users u ON u.id = named.user_id$old$,
     $new$LEFT JOIN LATERAL (SELECT * FROM users u WHERE u.id = named.user_id LIMIT 1) u ON true$new$],
    [$old$WHERE h.user_id = named.user_id AND h.status = 'ACTIVE'$old$,
     $new$WHERE h.user_id = named.user_id AND h.user_id = ANY (users) AND h.status = 'ACTIVE'$new$],
    [$old$WHERE after.changed AND a.user_id = after.user_id$old$,
     $new$WHERE after.changed AND a.user_id = after.user_id AND a.user_id = ANY (users)$new$]
  ] LOOP
    after := replace(before, change[1], change[2]);
    IF after = before THEN
      RAISE EXCEPTION 'apply_credit_movements does not hold: %', change[1];
    END IF;
    before := after;
  END LOOP;
  EXECUTE after;
END
$migration$;
