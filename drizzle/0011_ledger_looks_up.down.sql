DO $migration$
DECLARE
  change text[];
  before text := pg_get_functiondef('apply_credit_movements(jsonb, timestamptz, int)'::regprocedure);
  after text;
BEGIN
  FOREACH change SLICE 1 IN ARRAY ARRAY[
    [$old$FROM unnest(movements) i CROSS JOIN LATERAL (SELECT * FROM idempotency_keys k WHERE k.scope = i.scope AND k.key = i.key LIMIT 1) k$old$,
     $new$FROM unnest(movements) i JOIN idempotency_keys k ON k.scope = i.scope AND k.key = i.key$new$],
    [$old$LEFT JOIN LATERAL (SELECT * FROM credit_holds h WHERE h.id = i.hold_id LIMIT 1) h ON true$old$,
     $new$LEFT JOIN credit_holds h ON h.id = i.hold_id$new$],
    [$old$LEFT JOIN LATERAL (SELECT * FROM credit_accounts a WHERE a.user_id = named.user_id LIMIT 1) a ON true$old$,
     $new$LEFT JOIN credit_accounts a ON a.user_id = named.user_id$new$],
    [$old$LEFT JOIN LATERAL (SELECT * FROM users u WHERE u.id = named.user_id LIMIT 1) u ON true$old$,
     $new$LEFT JOIN users u ON u.id = named.user_id$new$],
    [$old$WHERE h.user_id = named.user_id AND h.user_id = ANY (users) AND h.status = 'ACTIVE'$old$,
     $new$WHERE h.user_id = named.user_id AND h.status = 'ACTIVE'$new$],
    [$old$WHERE after.changed AND a.user_id = after.user_id AND a.user_id = ANY (users)$old$,
     $new$WHERE after.changed AND a.user_id = after.user_id$new$]
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
