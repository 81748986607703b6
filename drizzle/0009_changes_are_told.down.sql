DROP TRIGGER signing_keys_told ON signing_keys;
--> statement-breakpoint
DROP TRIGGER ip_rules_told ON ip_rules;
--> statement-breakpoint
DROP FUNCTION tell_change();
