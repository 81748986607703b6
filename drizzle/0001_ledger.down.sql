DROP FUNCTION apply_credit_movements(jsonb, timestamptz, int);
--> statement-breakpoint
DROP FUNCTION judge_credit_refund(uuid, bigint, bigint);
--> statement-breakpoint
DROP FUNCTION resolve_credit_hold(uuid, text, bigint, text, uuid, timestamptz);
--> statement-breakpoint
DROP TYPE credit_movement;
--> statement-breakpoint
ALTER TABLE credit_accounts RESET (fillfactor);
--> statement-breakpoint
DROP TRIGGER credit_transactions_append_only ON credit_transactions;
--> statement-breakpoint
DROP FUNCTION refuse_change();
