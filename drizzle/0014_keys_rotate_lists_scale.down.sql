DROP INDEX "users_created_at";--> statement-breakpoint
DROP INDEX "data_keys_newest";--> statement-breakpoint
DROP INDEX "data_keys_superseded";--> statement-breakpoint
DROP INDEX "users_unverified";--> statement-breakpoint
DROP INDEX "users_deleted";--> statement-breakpoint
DROP INDEX "users_suspended";--> statement-breakpoint
DROP INDEX "audit_events_target_kind";--> statement-breakpoint
DROP INDEX "audit_events_actor_kind";--> statement-breakpoint
ALTER TABLE "data_keys" DROP COLUMN "superseded_at";--> statement-breakpoint
CREATE INDEX "users_created_at" ON "users" USING btree ("created_at","id");
