DROP INDEX "prices_stripe_id";
--> statement-breakpoint
ALTER TABLE "products" DROP COLUMN "stripe_updated_at";
--> statement-breakpoint
DROP TABLE "payment_reversals";
--> statement-breakpoint
DROP TABLE "payments";
--> statement-breakpoint
DROP TABLE "subscriptions";
--> statement-breakpoint
DROP TABLE "billing_orders";
--> statement-breakpoint
DROP TABLE "billing_customers";
--> statement-breakpoint
DROP TABLE "stripe_events";
--> statement-breakpoint
DROP SEQUENCE "stripe_reads";
