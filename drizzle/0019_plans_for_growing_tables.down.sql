ALTER FUNCTION is_letter_allowed(text, text, timestamptz, text[], int, int, int) RESET enable_seqscan;
--> statement-breakpoint
ALTER FUNCTION is_address_kept(text, uuid, timestamptz) RESET enable_seqscan;
