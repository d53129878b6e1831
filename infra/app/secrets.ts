export interface SecretDefinition {
  /** `key`: held to every rule for keys; `password`: present and no placeholder. */
  strength: "key" | "password";
  /**
   * Length in bytes of the random value that is made when no source gives one, written as lower-case hex digits.
   * Absent: the value comes from outside (a mail provider, say), and the secret is optional.
   */
  generatedBytes?: number;
  /** What its rotation means for those who use the site. */
  rotation?: string;
  /** Why it does not change by itself once there is data: what holds the same value and would have to change with it. */
  bound?: string;
  /** Exactly 64 hex digits are asked for: a key of AES-256. */
  hex64?: true;
  /** Length in bytes (in UTF-8) beyond which nothing counts any more. */
  maxBytes?: number;
  /** Held to a least length, and not a common one: it protects data, or something that the internet reaches. */
  guards?: true;
  /** A certificate or private key in PEM, the only text of more than one line. */
  pem?: "CERTIFICATE" | "PRIVATE KEY";
}

const KEY = { strength: "key", generatedBytes: 32 } as const;
const STORAGE_CREDENTIALS =
  "Recordings are refused until S3 and every service that reads it use the same keys. Rows of storage_endpoints do not change.";
const GUARD = { strength: "password", guards: true } as const;
const FROM_OUTSIDE = { strength: "password" } as const;

/**
 * Every secret of the application, by the name of the variable that the application reads. JWT_SIGNING_KEY signs
 * ingest tokens, INGEST_HMAC_SECRET upload tickets; STORAGE_ENCRYPTION_KEY opens `storage_endpoints.key_ref`;
 * the last ones are a cluster's: REGISTRY_TOKEN pulls images of a private registry, ORIGIN_* is the certificate that
 * Cloudflare alone trusts, TRAEFIK_DASHBOARD_PASSWORD opens Traefik's own dashboard, CLOUDFLARE_API_TOKEN writes DNS records.
 */
export const SECRETS = {
  POSTGRES_PASSWORD: {
    ...GUARD,
    generatedBytes: 24,
    bound: "the database keeps the password that it was created with",
    rotation: "PostgreSQL and its clients restart. Until then, requests that need data may fail.",
  },
  REDIS_PASSWORD: {
    ...GUARD,
    generatedBytes: 24,
    bound: "Redis and its clients restart one by one, and recordings are refused until all of them use it",
    rotation: "Redis and its clients restart. Until then, recordings are refused.",
  },
  JWT_SECRET: { ...KEY, rotation: "Every session ends: all users of the dashboard have to log in again." },
  JWT_SIGNING_KEY: {
    ...KEY,
    rotation: "Existing ingest tokens become invalid: applications have to request new ones.",
  },
  INGEST_HMAC_SECRET: {
    ...KEY,
    rotation: "Existing upload tickets become invalid: applications have to request new ones.",
  },
  STORAGE_ENCRYPTION_KEY: {
    ...KEY,
    rotation:
      "From the moment when the rows of storage_endpoints use the new key until every service uses it, their storage is unavailable.",
    hex64: true,
    bound: "it encrypts the keys in the table storage_endpoints",
  },
  S3_ACCESS_KEY_ID: { strength: "password", generatedBytes: 10, rotation: STORAGE_CREDENTIALS },
  S3_SECRET_ACCESS_KEY: { ...GUARD, generatedBytes: 32, rotation: STORAGE_CREDENTIALS },
  SMTP_PASS: FROM_OUTSIDE,
  GITHUB_CLIENT_SECRET: FROM_OUTSIDE,
  STRIPE_SECRET_KEY: FROM_OUTSIDE,
  STRIPE_WEBHOOK_SECRET: FROM_OUTSIDE,
  TURNSTILE_SECRET_KEY: FROM_OUTSIDE,
  REGISTRY_TOKEN: FROM_OUTSIDE,
  ORIGIN_CERTIFICATE: { ...FROM_OUTSIDE, pem: "CERTIFICATE" },
  ORIGIN_PRIVATE_KEY: { ...FROM_OUTSIDE, pem: "PRIVATE KEY" },
  TRAEFIK_DASHBOARD_PASSWORD: { ...GUARD, maxBytes: 72 },
  CLOUDFLARE_API_TOKEN: FROM_OUTSIDE,
} as const satisfies Record<string, SecretDefinition>;

export type SecretName = keyof typeof SECRETS;

/** The secrets of a cluster itself, which no service reads. */
type ClusterSecret =
  | "REGISTRY_TOKEN"
  | "ORIGIN_CERTIFICATE"
  | "ORIGIN_PRIVATE_KEY"
  | "TRAEFIK_DASHBOARD_PASSWORD"
  | "CLOUDFLARE_API_TOKEN";

/** A secret that a service may read. */
export type ServiceSecret = Exclude<SecretName, ClusterSecret>;

export const SECRET_NAMES = Object.keys(SECRETS) as SecretName[];

/** How a secret is defined, by the type that all definitions share. */
export function definitionOf(name: SecretName): SecretDefinition {
  return SECRETS[name];
}

/** The secrets that are generated where no source gives them. */
export const GENERATED_SECRETS = SECRET_NAMES.filter(
  (name) => definitionOf(name).generatedBytes !== undefined,
);
