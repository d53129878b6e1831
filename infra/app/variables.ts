/** What the application reads and is not secret, by the name of its variable. */
export const VARIABLES = [
  "POSTGRES_USER",
  "POSTGRES_DB",
  "S3_ENDPOINT",
  "S3_PUBLIC_ENDPOINT",
  "S3_BUCKET",
  "S3_REGION",
  "SELF_HOSTED_MODE",
  "PUBLIC_DASHBOARD_URL",
  "PUBLIC_API_URL",
  "PUBLIC_INGEST_URL",
  "DASHBOARD_ORIGIN",
  "SMTP_HOST",
  "SMTP_PORT",
  "SMTP_USER",
  "SMTP_FROM",
  "SMTP_SECURE",
  "GITHUB_CLIENT_ID",
  "TURNSTILE_SITE_KEY",
] as const;
export type VariableName = (typeof VARIABLES)[number];

/** Variables put together from others: the connection strings, which hold a password. */
export const DERIVED = ["DATABASE_URL", "REDIS_URL"] as const;
export type DerivedName = (typeof DERIVED)[number];
