CREATE TABLE "stored_files" (
	"id" uuid PRIMARY KEY NOT NULL,
	"user_id" uuid NOT NULL,
	"kind" text NOT NULL,
	"object_key" text NOT NULL,
	"content_type" text NOT NULL,
	"size_bytes" bigint,
	"created_at" timestamp with time zone NOT NULL,
	"stored_at" timestamp with time zone,
	"used_at" timestamp with time zone,
	"expires_at" timestamp with time zone,
	CONSTRAINT "stored_files_kind" CHECK ("stored_files"."kind" in ('AVATAR_UPLOAD', 'AVATAR', 'DATA_EXPORT')),
	CONSTRAINT "stored_files_size" CHECK ("stored_files"."size_bytes" >= 0),
	CONSTRAINT "stored_files_kept" CHECK ("stored_files"."expires_at" is not null or ("stored_files"."kind" = 'AVATAR' and "stored_files"."stored_at" is not null)),
	CONSTRAINT "stored_files_used" CHECK ("stored_files"."used_at" is null or "stored_files"."kind" = 'AVATAR_UPLOAD')
);
--> statement-breakpoint
ALTER TABLE "stored_files" ADD CONSTRAINT "stored_files_user_id_users_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE UNIQUE INDEX "stored_files_object_key" ON "stored_files" USING btree ("object_key");--> statement-breakpoint
CREATE INDEX "stored_files_user" ON "stored_files" USING btree ("user_id","kind");--> statement-breakpoint
CREATE INDEX "stored_files_expiry" ON "stored_files" USING btree ("expires_at") WHERE "stored_files"."expires_at" is not null;