DROP TRIGGER sessions_later_use ON sessions;
--> statement-breakpoint
DROP TRIGGER sessions_first_use ON sessions;
--> statement-breakpoint
DROP FUNCTION note_active_day();
