-- Every audit row waits for its link from the moment it is written, in the same transaction.
CREATE FUNCTION queue_audit_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_unlinked (event_id) VALUES (NEW.id);
  RETURN NULL;
END
$$;
--> statement-breakpoint
CREATE TRIGGER audit_events_queue_link
  AFTER INSERT ON audit_events
  FOR EACH ROW EXECUTE FUNCTION queue_audit_link();
--> statement-breakpoint
CREATE TRIGGER audit_links_append_only
  BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_links
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
--> statement-breakpoint
-- Rows from before there was a chain.
INSERT INTO audit_unlinked (event_id) SELECT id FROM audit_events;
