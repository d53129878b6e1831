import { DATA_RESOURCES, limitsOf } from "../app/catalogue.ts";
import { POSTGRES_READY, postgresCommand, REDIS_READY, redisScript, STORAGE_PORT } from "../app/data.ts";
import type { DockerSettings } from "../settings/load.ts";
import type { ComposeService } from "./compose-spec.ts";
import { confined, healthcheck } from "./container.ts";
import { escapeDollar, secretReference, variableReference } from "./references.ts";

/** PostgreSQL, one writer, in the layout that the official image has from version 18 on. */
export function postgres({ variables, data }: DockerSettings, image: string): ComposeService {
  const limits = limitsOf(data.postgres, DATA_RESOURCES.postgres);
  const container = confined({ user: "999:999", ...limits });
  return {
    image,
    command: postgresCommand(limits.memoryMiB),
    environment: {
      POSTGRES_USER: variableReference("POSTGRES_USER", variables.POSTGRES_USER),
      POSTGRES_DB: variableReference("POSTGRES_DB", variables.POSTGRES_DB),
      POSTGRES_PASSWORD: secretReference("POSTGRES_PASSWORD"),
    },
    networks: ["postgres"],
    volumes: ["postgres-data:/var/lib/postgresql"],
    ...container,
    tmpfs: [...container.tmpfs, "/var/run/postgresql:size=1m,mode=1777"],
    shm_size: "256m",
    // A checkpoint of a busy database takes its time; SIGKILL would mean a crash recovery at the next start.
    stop_grace_period: "120s",
    healthcheck: healthcheck("CMD-SHELL", escapeDollar(POSTGRES_READY)),
    restart: "unless-stopped",
  };
}

/** Redis with password and append-only file. */
export function redis({ data }: DockerSettings, image: string): ComposeService {
  const limits = limitsOf(data.redis, DATA_RESOURCES.redis);
  return {
    image,
    entrypoint: ["/bin/sh", "-ec"],
    command: [escapeDollar(redisScript(limits.memoryMiB))],
    environment: { REDIS_PASSWORD: secretReference("REDIS_PASSWORD") },
    networks: ["redis"],
    volumes: ["redis-data:/data"],
    ...confined({ user: "999:999", ...limits, tmpMiB: 16 }),
    stop_grace_period: "30s",
    healthcheck: healthcheck("CMD-SHELL", escapeDollar(REDIS_READY)),
    restart: "unless-stopped",
  };
}

/** The built-in S3 server: one process over plain files, a bucket is a folder. */
export function storage({ variables, data }: DockerSettings, image: string): ComposeService {
  const region = variableReference("S3_REGION", variables.S3_REGION);
  return {
    image,
    entrypoint: ["/usr/local/bin/versitygw"],
    command: ["--port", `:${STORAGE_PORT}`, "--health", "/health", "--region", region, "posix", "/data"],
    environment: {
      ROOT_ACCESS_KEY: secretReference("S3_ACCESS_KEY_ID"),
      ROOT_SECRET_KEY: secretReference("S3_SECRET_ACCESS_KEY"),
    },
    depends_on: { "prepare-volumes": { condition: "service_completed_successfully" } },
    networks: ["storage", "edge"],
    volumes: ["storage-data:/data"],
    ...confined({ user: "1000:1000", ...limitsOf(data.storage, DATA_RESOURCES.storage) }),
    stop_grace_period: "30s",
    healthcheck: healthcheck("CMD-SHELL", `wget -q -O /dev/null http://127.0.0.1:${STORAGE_PORT}/health`),
    restart: "unless-stopped",
  };
}

/**
 * Hands new volumes to the users that write them, and makes the bucket of the built-in S3. Docker makes a
 * volume for root, and a container that may not become root cannot change that itself. Undefined when there is
 * nothing to prepare.
 */
export function prepareVolumes(settings: DockerSettings, image: string): ComposeService | undefined {
  const { builtInStorage, domain, variables } = settings;
  if (!builtInStorage && domain === undefined) return undefined;
  const steps = [
    ...(builtInStorage
      ? ['mkdir -p "/storage/$$S3_BUCKET"', 'chown 1000:1000 /storage "/storage/$$S3_BUCKET"']
      : []),
    ...(domain === undefined ? [] : ["chown 65532:65532 /certificates"]),
  ];
  return {
    image, // Traefik's, since every project has it and it brings a shell
    entrypoint: ["/bin/sh", "-ec"],
    command: [steps.join(" && ")],
    environment: { S3_BUCKET: variableReference("S3_BUCKET", variables.S3_BUCKET) },
    network_mode: "none",
    volumes: [
      ...(builtInStorage ? ["storage-data:/storage"] : []),
      ...(domain === undefined ? [] : ["traefik-certificates:/certificates"]),
    ],
    ...confined({ user: "0:0", memoryMiB: 64, cpus: 0.5, tmpMiB: 1 }),
    cap_add: ["CHOWN", "DAC_OVERRIDE"],
    stop_grace_period: "5s",
    restart: "no",
  };
}
