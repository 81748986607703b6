-- Nobody gives to, spends from or holds of somebody who has left: to every service they do not exist. What was spent
-- before can still be given back, and taken back, for the books outlive the person. Otherwise as in 0001.
CREATE OR REPLACE FUNCTION apply_credit_movements(items jsonb, moment timestamptz, patience int)
RETURNS json
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  size CONSTANT int := jsonb_array_length(items);
  movements credit_movement[];
  -- By place among the accounts named, which are in the order of their ids.
  users uuid[];
  balances bigint[];
  helds bigint[];
  versions bigint[];
  barriers text[]; -- why their owner may not spend
  changed boolean[];
  -- By place in the call.
  places int[]; -- of the item's account
  codes text[] := array_fill(NULL::text, ARRAY[size]);
  answers jsonb[] := array_fill(NULL::jsonb, ARRAY[size]);
  replays boolean[] := array_fill(false, ARRAY[size]);
  deltas bigint[] := array_fill(NULL::bigint, ARRAY[size]); -- of the balance; null: no transaction
  balances_after bigint[] := array_fill(NULL::bigint, ARRAY[size]);
  versions_after bigint[] := array_fill(NULL::bigint, ARRAY[size]);
  twins int[]; -- the item before it with the same key
  firsts int[] := array_fill(NULL::int, ARRAY[size]); -- the item that took the key
  -- The item being judged.
  item credit_movement;
  found record;
  verdict record;
  place int;
  available bigint;
  delta bigint;
  hold_answer jsonb;
  refunded jsonb := '{}'; -- what this call gives back, by transaction
BEGIN
  SELECT array_agg(i ORDER BY i.n) INTO movements
    FROM jsonb_populate_recordset(NULL::credit_movement, items) i;

  SELECT array_agg(DISTINCT named.user_id ORDER BY named.user_id) FILTER (WHERE named.user_id IS NOT NULL),
         array_agg(named.place ORDER BY named.n)
    INTO users, places
    FROM (SELECT owned.n, owned.user_id, dense_rank() OVER (ORDER BY owned.user_id) AS place
            FROM (SELECT i.n, coalesce(i.user_id,
                                       (SELECT h.user_id FROM credit_holds h WHERE h.id = i.hold_id),
                                       (SELECT t.user_id FROM credit_transactions t WHERE t.id = i.refunds_transaction_id)) AS user_id
                    FROM unnest(movements) i) owned) named;

  IF (SELECT count(*) FROM credit_accounts a WHERE a.user_id = ANY (users)) < cardinality(users) THEN
    INSERT INTO credit_accounts (user_id, balance, held, version, updated_at)
    SELECT u.id, 0, 0, 0, moment FROM users u WHERE u.id = ANY (users) ORDER BY u.id
        ON CONFLICT DO NOTHING;
  END IF;

  IF patience = 0 THEN
    PERFORM FROM credit_accounts a WHERE a.user_id = ANY (users) ORDER BY a.user_id FOR NO KEY UPDATE NOWAIT;
  ELSE
    PERFORM set_config('lock_timeout', patience::text, true) WHERE patience IS NOT NULL;
    PERFORM FROM credit_accounts a WHERE a.user_id = ANY (users) ORDER BY a.user_id FOR NO KEY UPDATE;
  END IF;

  -- From here on statements see what was committed while the one above waited.
  SELECT array_agg(a.balance), array_agg(a.held), array_agg(a.version), array_agg(false), array_agg(a.barrier)
    INTO balances, helds, versions, changed, barriers
    FROM (SELECT a.balance, a.held, a.version,
                 CASE WHEN u.status = 'DELETED' THEN 'NOT_FOUND'
                      WHEN u.email_verified_at IS NULL THEN 'EMAIL_NOT_VERIFIED'
                      WHEN u.status = 'SUSPENDED' AND (u.suspended_until > moment) IS NOT FALSE THEN 'ACCOUNT_SUSPENDED'
                 END AS barrier
            FROM unnest(users) WITH ORDINALITY AS named (user_id, place)
            LEFT JOIN credit_accounts a ON a.user_id = named.user_id
            LEFT JOIN users u ON u.id = named.user_id
           ORDER BY named.place) a;

  -- Holds past their end give back what they held before anything is judged.
  IF 0 < ANY (helds) THEN
    FOR found IN
      UPDATE credit_holds h SET status = 'EXPIRED', resolved_at = moment
        FROM unnest(users) WITH ORDINALITY AS named (user_id, place)
       WHERE h.user_id = named.user_id AND h.status = 'ACTIVE' AND h.expires_at <= moment
      RETURNING named.place, h.amount
    LOOP
      helds[found.place] := helds[found.place] - found.amount;
      changed[found.place] := true;
    END LOOP;
  END IF;

  FOR found IN
    SELECT i.n, k.fingerprint = i.fingerprint AS is_same, k.answer
      FROM unnest(movements) i JOIN idempotency_keys k ON k.scope = i.scope AND k.key = i.key
  LOOP
    replays[found.n] := found.is_same;
    answers[found.n] := CASE WHEN found.is_same THEN found.answer END;
    codes[found.n] := CASE WHEN NOT found.is_same THEN 'IDEMPOTENCY_CONFLICT' END;
  END LOOP;

  SELECT array_agg(i.twin ORDER BY i.n) INTO twins
    FROM (SELECT i.n, lag(i.n) OVER (PARTITION BY i.scope, i.key ORDER BY i.n) AS twin FROM unnest(movements) i) i;

  FOREACH item IN ARRAY movements LOOP
    -- Asked before, or by a neighbour in this very call?
    CONTINUE WHEN replays[item.n] OR codes[item.n] IS NOT NULL;
    firsts[item.n] := firsts[twins[item.n]];
    IF firsts[item.n] IS NOT NULL THEN
      IF movements[firsts[item.n]].fingerprint = item.fingerprint THEN
        answers[item.n] := answers[firsts[item.n]];
        replays[item.n] := true;
      ELSE
        codes[item.n] := 'IDEMPOTENCY_CONFLICT';
      END IF;
      CONTINUE;
    END IF;

    place := places[item.n];
    available := balances[place] - helds[place];
    delta := NULL;
    hold_answer := NULL;
    IF available IS NULL OR (item.operation = 'ADD' AND barriers[place] = 'NOT_FOUND') THEN
      codes[item.n] := 'NOT_FOUND';
      CONTINUE;
    ELSIF item.operation = 'ADD' THEN
      delta := item.amount;
    ELSIF item.operation IN ('USE', 'HOLD') THEN
      -- Adjustments, clawbacks and expiry reach accounts whose owner may not spend.
      IF barriers[place] IS NOT NULL AND (item.operation = 'HOLD' OR item.kind = 'USE') THEN
        codes[item.n] := barriers[place];
        CONTINUE;
      ELSIF available < item.amount THEN
        codes[item.n] := 'INSUFFICIENT_CREDITS';
        answers[item.n] := jsonb_build_object('needed', item.amount, 'available', available);
        CONTINUE;
      ELSIF item.operation = 'USE' THEN
        delta := -item.amount;
      ELSE
        INSERT INTO credit_holds (id, user_id, owner_kind, owner_id, amount, status, expires_at,
                                  description, reference_type, reference_id, created_at)
        VALUES (item.id, item.user_id, item.actor_kind, item.actor_id, item.amount, 'ACTIVE', item.expires_at,
                item.description, item.reference_type, item.reference_id, moment);
        helds[place] := helds[place] + item.amount;
        hold_answer := jsonb_build_object('id', item.id, 'status', 'ACTIVE', 'captured_amount', NULL, 'resolved_at', NULL);
      END IF;
    ELSIF item.operation IN ('CAPTURE', 'RELEASE') THEN
      SELECT * INTO verdict FROM resolve_credit_hold(item.hold_id, item.operation, item.amount, item.actor_kind, item.actor_id, moment);
      IF verdict.code IS NOT NULL THEN
        codes[item.n] := verdict.code;
        answers[item.n] := verdict.details;
        CONTINUE;
      END IF;
      helds[place] := helds[place] - verdict.freed;
      replays[item.n] := verdict.repeated;
      delta := verdict.delta;
      hold_answer := verdict.details;
    ELSE
      SELECT * INTO verdict FROM judge_credit_refund(item.refunds_transaction_id, item.amount,
                                                     coalesce((refunded ->> item.refunds_transaction_id::text)::bigint, 0));
      IF verdict.code IS NOT NULL THEN
        codes[item.n] := verdict.code;
        answers[item.n] := verdict.details;
        CONTINUE;
      END IF;
      delta := verdict.delta;
    END IF;

    -- What a JSON number holds exactly: 2^53 - 1.
    IF balances[place] + delta > 9007199254740991 THEN
      codes[item.n] := 'BAD_USER_INPUT';
      answers[item.n] := jsonb_build_object('fields', jsonb_build_object('amount', 'would make the balance too large'));
      CONTINUE;
    END IF;
    IF delta IS NOT NULL THEN
      balances[place] := balances[place] + delta;
      versions[place] := versions[place] + 1;
      deltas[item.n] := delta;
      balances_after[item.n] := balances[place];
      versions_after[item.n] := versions[place];
    END IF;
    IF item.operation = 'REFUND' THEN
      refunded := refunded || jsonb_build_object(item.refunds_transaction_id,
        delta + coalesce((refunded ->> item.refunds_transaction_id::text)::bigint, 0));
    END IF;
    changed[place] := true;
    answers[item.n] := jsonb_build_object('balance', balances[place], 'held', helds[place], 'hold', hold_answer,
                                          'transaction', CASE WHEN delta IS NOT NULL THEN item.id END,
                                          'version', versions_after[item.n]);
    IF NOT replays[item.n] THEN
      firsts[item.n] := item.n;
    END IF;
  END LOOP;

  -- Before the accounts: their rows are only locked as yet, which is what the foreign keys' own locks find cheap.
  INSERT INTO credit_transactions (id, user_id, version, kind, amount, balance_after, hold_id, refunds_transaction_id,
                                   description, reference_type, reference_id, metadata,
                                   actor_kind, actor_id, request_id, created_at)
  SELECT i.id, users[places[i.n]], versions_after[i.n], coalesce(i.kind, i.operation), deltas[i.n], balances_after[i.n],
         i.hold_id, i.refunds_transaction_id,
         coalesce(i.description, h.description), coalesce(i.reference_type, h.reference_type),
         coalesce(i.reference_id, h.reference_id), i.metadata, i.actor_kind, i.actor_id, i.request_id, moment
    FROM unnest(movements) i
    LEFT JOIN credit_holds h ON h.id = i.hold_id
   WHERE deltas[i.n] IS NOT NULL;

  UPDATE credit_accounts a
     SET balance = after.balance, held = after.held, version = after.version, updated_at = moment
    FROM unnest(users, balances, helds, versions, changed) AS after (user_id, balance, held, version, changed)
   WHERE after.changed AND a.user_id = after.user_id;

  -- Fails (23505) if a key was taken meanwhile for another account; for the same one, the locks above made it wait.
  INSERT INTO idempotency_keys (scope, key, fingerprint, answer, created_at)
  SELECT i.scope, i.key, i.fingerprint, answers[i.n], moment
    FROM unnest(movements) i
   WHERE firsts[i.n] = i.n
   ORDER BY i.scope, i.key;

  RETURN (
    SELECT json_agg(json_build_object(
             'code', codes[i.n],
             'replayed', replays[i.n],
             'answer', answers[i.n],
             'at', moment,
             -- The caller knows all of a fresh ADD or USE itself.
             'transaction',
               CASE WHEN codes[i.n] IS NOT NULL OR (i.operation IN ('ADD', 'USE') AND NOT replays[i.n]) THEN NULL
                    WHEN i.operation = 'CAPTURE' THEN (SELECT row_to_json(t) FROM credit_transactions t WHERE t.hold_id = i.hold_id)
                    ELSE (SELECT row_to_json(t) FROM credit_transactions t WHERE t.id = (answers[i.n] ->> 'transaction')::uuid) END,
             'hold',
               CASE WHEN codes[i.n] IS NULL AND i.operation IN ('HOLD', 'CAPTURE', 'RELEASE')
                    THEN (SELECT row_to_json(h) FROM credit_holds h WHERE h.id = (answers[i.n] #>> '{hold,id}')::uuid) END
           ) ORDER BY i.n)
      FROM unnest(movements) i);
END
$$;
