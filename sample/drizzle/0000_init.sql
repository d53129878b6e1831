CREATE TABLE "storage_endpoints" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"project_id" uuid,
	"endpoint_url" text NOT NULL,
	"bucket" varchar(255) NOT NULL,
	"region" varchar(50),
	"access_key_id" varchar(255),
	"key_ref" varchar(255),
	"role_arn" varchar(255),
	"kms_key_id" varchar(255),
	"priority" integer DEFAULT 0 NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"shadow" boolean DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE TABLE "projects" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"name" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "recordings" (
	"id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL,
	"project_id" uuid NOT NULL REFERENCES "projects" ("id") ON DELETE CASCADE,
	"object_key" text NOT NULL,
	"endpoint_id" uuid,
	"bucket" varchar(255) NOT NULL,
	"size" bigint NOT NULL,
	"sha256" varchar(64) NOT NULL,
	"status" varchar(20) DEFAULT 'stored' NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	UNIQUE ("project_id", "object_key")
);
