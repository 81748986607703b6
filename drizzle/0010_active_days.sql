-- Who was here on which UTC day: the first sign-in or refresh of the day says so, and no later one costs anything.
CREATE FUNCTION note_active_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO active_days (day, user_id)
  VALUES ((NEW.last_used_at AT TIME ZONE 'UTC')::date, NEW.user_id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER sessions_first_use
  AFTER INSERT ON sessions
  FOR EACH ROW WHEN (NEW.user_id IS NOT NULL AND NEW.impersonator_id IS NULL)
  EXECUTE FUNCTION note_active_day();
--> statement-breakpoint
CREATE TRIGGER sessions_later_use
  AFTER UPDATE OF last_used_at ON sessions
  FOR EACH ROW WHEN (
    NEW.user_id IS NOT NULL AND NEW.impersonator_id IS NULL
    AND (NEW.last_used_at AT TIME ZONE 'UTC')::date IS DISTINCT FROM (OLD.last_used_at AT TIME ZONE 'UTC')::date
  )
  EXECUTE FUNCTION note_active_day();
--> statement-breakpoint
-- What is known of the time before: the first and the last use of each session.
INSERT INTO active_days (day, user_id)
SELECT (created_at AT TIME ZONE 'UTC')::date, user_id FROM sessions WHERE user_id IS NOT NULL
UNION
SELECT (last_used_at AT TIME ZONE 'UTC')::date, user_id FROM sessions WHERE user_id IS NOT NULL
ON CONFLICT DO NOTHING;
