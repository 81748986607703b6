DROP INDEX "users_created_at";--> statement-breakpoint
ALTER TABLE "data_keys" ADD COLUMN "superseded_at" timestamp with time zone;--> statement-breakpoint
-- The newest key of each person goes on; those before it wait to be taken out of use.
UPDATE data_keys k SET superseded_at = (SELECT min(n.created_at) FROM data_keys n WHERE n.user_id = k.user_id AND n.generation > k.generation)
 WHERE EXISTS (SELECT FROM data_keys n WHERE n.user_id = k.user_id AND n.generation > k.generation);--> statement-breakpoint
CREATE INDEX "audit_events_actor_kind" ON "audit_events" USING btree ("actor_kind","occurred_at","id") WHERE "audit_events"."actor_kind" <> 'USER' and "audit_events"."actor_kind" <> 'ANONYMOUS';--> statement-breakpoint
CREATE INDEX "audit_events_target_kind" ON "audit_events" USING btree ("target_kind","occurred_at","id") WHERE "audit_events"."target_kind" <> 'user' and "audit_events"."target_kind" <> 'session';--> statement-breakpoint
CREATE INDEX "users_suspended" ON "users" USING btree ("created_at","id") WHERE "users"."status" = 'SUSPENDED';--> statement-breakpoint
CREATE INDEX "users_deleted" ON "users" USING btree ("created_at","id") WHERE "users"."deleted_at" is not null;--> statement-breakpoint
CREATE INDEX "users_unverified" ON "users" USING btree ("created_at","id") WHERE "users"."email_verified_at" is null and "users"."deleted_at" is null;--> statement-breakpoint
CREATE INDEX "data_keys_superseded" ON "data_keys" USING btree ("user_id") WHERE "data_keys"."superseded_at" is not null;--> statement-breakpoint
CREATE INDEX "data_keys_newest" ON "data_keys" USING btree ("created_at") WHERE "data_keys"."superseded_at" is null and "data_keys"."sealed_key" is not null;--> statement-breakpoint
CREATE INDEX "users_created_at" ON "users" USING btree ("created_at","id","deleted_at");