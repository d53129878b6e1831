/** The port on which the S3 server of a single node listens. */
export const STORAGE_PORT = 7070;

/** How the project's own PostgreSQL is started. */
export function postgresCommand(memoryMiB: number): readonly string[] {
  return ["postgres", ...postgresTuning(memoryMiB).flatMap((setting) => ["-c", setting])];
}

// Shares of the memory that PostgreSQL's documentation starts from (runtime-config-resource, -query). The connections
// suffice for every service at its most pods, with ten each, and a person beside them.
function postgresTuning(memoryMiB: number): string[] {
  const share = (part: number) => `${Math.floor(memoryMiB * part)}MB`;
  return [
    "max_connections=200",
    `shared_buffers=${share(0.25)}`,
    `effective_cache_size=${share(0.75)}`,
    `maintenance_work_mem=${share(1 / 16)}`,
  ];
}

/** Ends with 0 when PostgreSQL is ready. By TCP, since the server that initialises a database has the socket alone. */
export const POSTGRES_READY = 'pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"';

/** A script that starts Redis with a password and an append-only file in `/data`. */
export function redisScript(memoryMiB: number): string {
  // Below the limit, so that a full Redis refuses a write instead of being killed; the rest is for its rewrites.
  const maxMemory = `${Math.floor(memoryMiB * 0.75)}mb`;
  // The password comes by standard input, since a command line shows in `docker inspect` and in `ps`; sed escapes
  // what ends a quoted value in redis.conf.
  return String.raw`password=$(printf %s "$REDIS_PASSWORD" | sed 's/["\\]/\\&/g')
exec redis-server - --dir /data --appendonly yes --maxmemory ${maxMemory} --maxmemory-policy noeviction --protected-mode no <<EOF
requirepass "$password"
EOF
`;
}

/** Ends with 0 when Redis answers, which it does not while it reads its append-only file. */
export const REDIS_READY = 'REDISCLI_AUTH="$REDIS_PASSWORD" redis-cli ping | grep -q PONG';
