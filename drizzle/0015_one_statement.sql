-- What a statement that does everything at once (src/core/one-statement.ts) has to look at after a lock or a unique
-- index was waited for: a volatile function sees what was committed meanwhile, the statement around it does not.

CREATE FUNCTION require_that(holds boolean) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF holds IS NOT TRUE THEN
    RAISE EXCEPTION 'what the statement requires does not hold' USING ERRCODE = 'CR001';
  END IF;
END
$$;
--> statement-breakpoint
-- An address that its former owner can still take back by a link.
CREATE FUNCTION is_address_kept(address text, arrival uuid, moment timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN EXISTS (
    SELECT FROM email_tokens t
     WHERE lower(t.email) = address AND t.purpose = 'UNDO_EMAIL_CHANGE'
       AND t.used_at IS NULL AND t.voided_at IS NULL AND t.expires_at > moment AND t.user_id <> arrival);
END
$$;
--> statement-breakpoint
-- Locks address, then IP (always in this order, or two could wait for each other), and counts what was queued for them.
-- The two-number form keeps these locks apart from all others.
CREATE FUNCTION is_letter_allowed(
  address text, ip text, moment timestamptz, limited text[], an_hour int, a_day int, of_ip_an_hour int
) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  hour_ago timestamptz := moment - interval '1 hour';
  of_hour int;
  of_day int;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('letters.address'), hashtext(address));
  IF ip IS NOT NULL THEN
    PERFORM pg_advisory_xact_lock(hashtext('letters.ip'), hashtext(ip));
  END IF;
  SELECT count(*) FILTER (WHERE e.created_at > hour_ago), count(*) INTO of_hour, of_day
    FROM outbox_emails e
   WHERE lower(e.recipient) = address AND e.created_at > moment - interval '1 day' AND e.kind = ANY (limited);
  IF of_hour >= an_hour OR of_day >= a_day THEN
    RETURN false;
  END IF;
  RETURN ip IS NULL
      OR (SELECT count(*) FROM outbox_emails e WHERE e.ip_hash = ip AND e.created_at > hour_ago) < of_ip_an_hour;
END
$$;
--> statement-breakpoint
CREATE FUNCTION tell_of_letters() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('credence_mail', '');
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER outbox_emails_tell AFTER INSERT ON outbox_emails
FOR EACH STATEMENT EXECUTE FUNCTION tell_of_letters();
