DROP INDEX "email_tokens_undo";
