DROP TRIGGER outbox_emails_tell ON outbox_emails;
--> statement-breakpoint
DROP FUNCTION tell_of_letters();
--> statement-breakpoint
DROP FUNCTION is_letter_allowed(text, text, timestamptz, text[], int, int, int);
--> statement-breakpoint
DROP FUNCTION is_address_kept(text, uuid, timestamptz);
--> statement-breakpoint
DROP FUNCTION require_that(boolean);
