import type { DerivedName } from "./variables.ts";

/** The parts of the connection strings, as they stand in a URL: encoded, or references that something else resolves. */
export interface ConnectionParts {
  user: string;
  password: string;
  database: string;
  redisPassword: string;
}

/** The connection strings of the project's own PostgreSQL and Redis, which both targets give these names. */
export function connectionUrls(parts: ConnectionParts): Record<DerivedName, string> {
  return {
    DATABASE_URL: `postgresql://${parts.user}:${parts.password}@postgres:5432/${parts.database}`,
    REDIS_URL: `redis://:${parts.redisPassword}@redis:6379/0`,
  };
}
