import { createHash } from "node:crypto";
import { MIGRATE } from "../app/catalogue.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Manifest, namespaced, selectorOf } from "../manifest.ts";
import { CONFINED, podDefaults, resources, scratch, serviceAccount } from "./pod.ts";
import { PRIORITY } from "./priority.ts";
import { fromSecret, fromSecrets } from "./secret-groups.ts";
import { APP_USER, reachLabels } from "./workload.ts";

/** Key of the advisory lock that a migration holds; any number that nothing else in the database uses. */
const LOCK = 5_270_517;

/**
 * The migration of a release: a Job whose name follows from all that it runs, so that another release makes
 * another Job and the same one is left alone.
 */
export function migrate(settings: KubernetesSettings): Manifest[] {
  const template = {
    metadata: { labels: { ...selectorOf(MIGRATE.name), ...reachLabels({ needs: ["postgres"] }) } },
    spec: podSpec(settings),
  };
  const spec = { backoffLimit: 2, activeDeadlineSeconds: 1800, template };
  const hash = createHash("sha256").update(JSON.stringify(spec)).digest("hex").slice(0, 10);
  return [serviceAccount(MIGRATE.name), namespaced("batch/v1", "Job", `${MIGRATE.name}-${hash}`, { spec })];
}

const TMP = scratch("tmp", "/tmp", 64);
const HELD = scratch("lock", "/lock", 1);

function podSpec(settings: KubernetesSettings) {
  return {
    ...podDefaults(MIGRATE.name, APP_USER, settings),
    restartPolicy: "Never",
    priorityClassName: PRIORITY.serving,
    initContainers: [lock(settings)],
    containers: [
      {
        name: MIGRATE.name,
        image: settings.images.migration,
        args: settings.migrateCommand ?? MIGRATE.command,
        env: [{ name: "NODE_ENV", value: "production" }, ...fromSecrets(["DATABASE_URL"])],
        resources: resources(MIGRATE.requests, MIGRATE.resources),
        ...CONFINED,
        volumeMounts: [TMP.mount],
      },
    ],
    volumes: [TMP.volume, HELD.volume],
  };
}

/** A sidecar: it starts first, runs beside the migration and ends with it. Two migrations thus wait for each other. */
function lock({ images, addresses: { postgres } }: KubernetesSettings) {
  const plain = {
    PGHOST: postgres.host,
    PGPORT: String(postgres.port),
    PGCONNECT_TIMEOUT: "5",
    ...(postgres.sslmode !== undefined && { PGSSLMODE: postgres.sslmode }),
  };
  return {
    name: "lock",
    image: images.postgres,
    restartPolicy: "Always",
    command: ["/bin/sh", "-c", LOCK_SCRIPT],
    env: [
      ...Object.entries(plain).map(([name, value]) => ({ name, value })),
      fromSecret("POSTGRES_USER", "PGUSER"),
      fromSecret("POSTGRES_DB", "PGDATABASE"),
      fromSecret("POSTGRES_PASSWORD", "PGPASSWORD"),
    ],
    // As long as another migration may take.
    startupProbe: {
      exec: { command: ["test", "-e", "/lock/held"] },
      periodSeconds: 1,
      failureThreshold: 1500,
    },
    resources: resources({ cpus: 0.01, memoryMiB: 32 }, { cpus: 0.1, memoryMiB: 64 }, 16),
    ...CONFINED,
    volumeMounts: [HELD.mount],
  };
}

/** So that a lock does not outlive its holder: the server looks for a client that went, and a node that died. */
const SESSION = ["client_connection_check_interval", "tcp_keepalives_idle", "tcp_keepalives_interval"]
  .map((setting) => `set ${setting} = '5s'`)
  .join("; ");

// The first connection is tried for a minute: policies of the network reach a new pod with some delay.
const LOCK_SCRIPT = `rm -f /lock/held
for attempt in 1 2 3 4 5 6 7 8 9 10 11 12; do
  psql -qAtc "select 1" >/dev/null 2>&1 && break
  sleep 5
done
exec psql -qAt -v ON_ERROR_STOP=1 -c "${SESSION}" -c "select pg_advisory_lock(${LOCK})" -c "\\! touch /lock/held" -c "select pg_sleep(7200)"
`;
