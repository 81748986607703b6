-- Operators look people up by any part of a name or an address. Trigrams keep that flat at a million people, where a
-- prefix over three columns was seen to fall back to reading the whole table. The separator cannot be searched for.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
-- Without the pending list: a person who registers must not be the one who waits for it to be merged.
CREATE INDEX users_search ON users
  USING gin ((username_key || E'\n' || email_key || E'\n' || lower(coalesce(display_name, ''))) gin_trgm_ops)
  WITH (fastupdate = off);
--> statement-breakpoint
-- Room on each page for the next sign-in's mark, so that it touches no index.
ALTER TABLE users SET (fillfactor = 85);
