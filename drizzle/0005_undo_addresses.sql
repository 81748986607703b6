-- Every sign-up asks whether somebody may still take the address back.
CREATE INDEX "email_tokens_undo" ON "email_tokens" USING btree (lower("email")) WHERE "email_tokens"."purpose" = 'UNDO_EMAIL_CHANGE';
