DROP TRIGGER audit_links_append_only ON audit_links;
--> statement-breakpoint
DROP TRIGGER audit_events_queue_link ON audit_events;
--> statement-breakpoint
DROP FUNCTION queue_audit_link();
