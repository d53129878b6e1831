import type { SecretName, ServiceSecret } from "../app/secrets.ts";
import type { DerivedName, VariableName } from "../app/variables.ts";

/** A key of a Secret; it has the name of the variable that the application reads. */
export type SecretKey = SecretName | DerivedName | VariableName;

/** The same of a Secret that services read. */
export type ServiceKey = ServiceSecret | DerivedName | VariableName;

/** The Secrets of the application with the keys of each. */
export const SECRET_GROUPS = {
  "postgres-secret": ["POSTGRES_USER", "POSTGRES_PASSWORD", "POSTGRES_DB", "DATABASE_URL"],
  "redis-secret": ["REDIS_URL", "REDIS_PASSWORD"],
  "app-secret": [
    "JWT_SECRET",
    "JWT_SIGNING_KEY",
    "INGEST_HMAC_SECRET",
    "STORAGE_ENCRYPTION_KEY",
    "SELF_HOSTED_MODE",
    "PUBLIC_DASHBOARD_URL",
    "PUBLIC_API_URL",
    "PUBLIC_INGEST_URL",
    "DASHBOARD_ORIGIN",
  ],
  "s3-secret": [
    "S3_ENDPOINT",
    "S3_PUBLIC_ENDPOINT",
    "S3_BUCKET",
    "S3_REGION",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
  ],
  "smtp-secret": ["SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASS", "SMTP_FROM", "SMTP_SECURE"],
  "oauth-secret": ["GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"],
  "stripe-secret": ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"],
  "turnstile-secret": ["TURNSTILE_SITE_KEY", "TURNSTILE_SECRET_KEY"],
} as const satisfies Record<string, readonly ServiceKey[]>;

export type SecretGroup = keyof typeof SECRET_GROUPS;

/** Without every key of these nothing starts. Of the others, a key that nobody has set is absent. */
const NEEDED: readonly SecretGroup[] = ["postgres-secret", "redis-secret", "app-secret"];

/** Whether every key of a group has to be there. */
export function isNeeded(group: SecretGroup): boolean {
  return NEEDED.includes(group);
}

// Does not compile, and names the key, when a secret or a variable that a service may read is in no Secret.
({}) satisfies Record<Exclude<ServiceKey, (typeof SECRET_GROUPS)[SecretGroup][number]>, never>;

const GROUP_OF = new Map(
  Object.entries(SECRET_GROUPS).flatMap(([group, keys]) =>
    keys.map((key): [ServiceKey, string] => [key, group]),
  ),
);

/** The Secret that holds a key. */
export function groupOf(key: ServiceKey): SecretGroup {
  return GROUP_OF.get(key) as SecretGroup;
}

/** Environment variables, each read from its Secret on its own, so that a pod gets no more than it reads. */
export function fromSecrets(names: readonly ServiceKey[]) {
  return names.map((name) => fromSecret(name));
}

/** A key of a Secret as an environment variable, under the key's name unless another is given. */
export function fromSecret(key: ServiceKey, name: string = key) {
  const group = groupOf(key);
  const optional = isNeeded(group) ? {} : { optional: true };
  return { name, valueFrom: { secretKeyRef: { name: group, key, ...optional } } };
}
