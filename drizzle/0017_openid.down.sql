DROP TABLE "oauth_states";
--> statement-breakpoint
DROP TABLE "linked_accounts";
--> statement-breakpoint
ALTER TABLE "second_factor_challenges" DROP CONSTRAINT "second_factor_challenges_method";
--> statement-breakpoint
ALTER TABLE "second_factor_challenges" DROP COLUMN "method";
