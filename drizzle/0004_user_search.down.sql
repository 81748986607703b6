ALTER TABLE users RESET (fillfactor);
--> statement-breakpoint
-- The extension stays: others may use it by now.
DROP INDEX users_search;
