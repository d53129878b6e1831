import type { DerivedName } from "./variables.ts";

/** The parts of the connection strings, as they stand in a URL: encoded, or references that something else resolves. */
export interface ConnectionParts {
  user: string;
  password: string;
  database: string;
  redisPassword: string;
}

/** Where PostgreSQL and Redis are. */
export interface DataAddresses {
  /** `sslmode` as in a connection string of libpq; absent: the driver's default. */
  postgres: { host: string; port: number; sslmode?: string | undefined };
  redis: { host: string; port: number; tls?: boolean | undefined };
}

/** The project's own, which both targets give these names. */
export const OWN_DATA: DataAddresses = {
  postgres: { host: "postgres", port: 5432 },
  redis: { host: "redis", port: 6379 },
};

/** The connection strings of PostgreSQL and Redis. */
export function connectionUrls(
  parts: ConnectionParts,
  { postgres, redis } = OWN_DATA,
): Record<DerivedName, string> {
  const query = postgres.sslmode === undefined ? "" : `?sslmode=${postgres.sslmode}`;
  const database = `${postgres.host}:${postgres.port}/${parts.database}${query}`;
  return {
    DATABASE_URL: `postgresql://${parts.user}:${parts.password}@${database}`,
    REDIS_URL: `${redis.tls ? "rediss" : "redis"}://:${parts.redisPassword}@${redis.host}:${redis.port}/0`,
  };
}

/** The same from values, which a URL needs encoded. */
export function connectionUrlsOf(
  variables: Record<"POSTGRES_USER" | "POSTGRES_DB", string>,
  secrets: Record<"POSTGRES_PASSWORD" | "REDIS_PASSWORD", string>,
  addresses = OWN_DATA,
): Record<DerivedName, string> {
  const parts = {
    user: encodeURIComponent(variables.POSTGRES_USER),
    password: encodeURIComponent(secrets.POSTGRES_PASSWORD),
    database: encodeURIComponent(variables.POSTGRES_DB),
    redisPassword: encodeURIComponent(secrets.REDIS_PASSWORD),
  };
  return connectionUrls(parts, addresses);
}
