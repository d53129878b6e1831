import { Redis } from "ioredis";
import pg from "pg";

/** Logs what went wrong by name and code only: a message could carry a URL with its password. */
export function logError(what, error) {
  console.error(`${what}: ${error?.code ?? error?.name ?? "error"}`);
}

/** A pool that survives a database restart. */
export function connectPostgres(url) {
  const pool = new pg.Pool({
    connectionString: url,
    max: 5,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
  });
  pool.on("error", (error) => logError("postgres", error));
  return pool;
}

/** A Redis connection that reconnects for ever but fails a waiting command quickly. */
export function connectRedis(url) {
  const redis = new Redis(url, { maxRetriesPerRequest: 1, connectTimeout: 2_000 });
  redis.on("error", (error) => logError("redis", error));
  return redis;
}
