-- What every instance keeps in memory: it is told of every change with its commit, also of one made by hand.
CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify(TG_ARGV[0], '');
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER ip_rules_told
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ip_rules
  FOR EACH STATEMENT EXECUTE FUNCTION tell_change('credence_ip_rules');
--> statement-breakpoint
CREATE TRIGGER signing_keys_told
  AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON signing_keys
  FOR EACH STATEMENT EXECUTE FUNCTION tell_change('credence_keys');
