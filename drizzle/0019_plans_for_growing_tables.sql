-- A function keeps the plan of its first calls. Made while a table was nearly empty, it read all of it each time, until
-- statistics were next taken, however large the table had grown: with two thousand letters, half of a sign-up's time.
ALTER FUNCTION is_address_kept(text, uuid, timestamptz) SET enable_seqscan = off;
--> statement-breakpoint
ALTER FUNCTION is_letter_allowed(text, text, timestamptz, text[], int, int, int) SET enable_seqscan = off;
