import { type Backend, DATA_RESOURCES, limitsOf, type Resources } from "../app/catalogue.ts";
import { OWN_DATA } from "../app/connections.ts";
import { POSTGRES_READY, postgresCommand, REDIS_READY, redisScript } from "../app/data.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { disruptionBudget } from "./availability.ts";
import { clusterWide, type Manifest, namespaced, selectorOf } from "../manifest.ts";
import { CONFINED, podDefaults, resources, scratch, serviceAccount } from "./pod.ts";
import { PRIORITY } from "./priority.ts";
import { fromSecrets } from "./secret-groups.ts";

/** A data service that a cluster runs itself, unless somebody else does. */
export type DataService = Extract<Backend, "postgres" | "redis">;

/** The uid of the official images of PostgreSQL and Redis. */
const DATA_USER = 999;

/** Marks the pods of the data services. */
export const DATA_LABEL = "rejourney.co/data";

/** The label of the nodes whose disks hold the data. */
export const STORAGE_NODE = { "rejourney.co/storage-node": "true" };

const STORAGE_CLASS = "rejourney-data";
const VOLUME_GIB = { postgres: 20, redis: 5 } as const;

/** The data services that the cluster runs itself. */
export function ownDataServices({ external }: KubernetesSettings): DataService[] {
  return (["postgres", "redis"] as const).filter((name) => external[name] === undefined);
}

/** What a data service may use at most. */
export function dataLimits(name: DataService, { data }: KubernetesSettings): Resources {
  return limitsOf(data[name], DATA_RESOURCES[name]);
}

/**
 * The claims of the data services, of their own and not of a StatefulSet's template, so that the state knows and
 * protects them; and where the settings name none, a StorageClass that keeps a volume when its claim goes.
 */
export function volumes(settings: KubernetesSettings): Manifest[] {
  const own = ownDataServices(settings);
  const { storageClass, data } = settings;
  const claims = own.map((name) =>
    namespaced("v1", "PersistentVolumeClaim", `${name}-data`, {
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: storageClass ?? STORAGE_CLASS,
        resources: { requests: { storage: `${data[name]?.storage ?? VOLUME_GIB[name]}Gi` } },
      },
    }),
  );
  return storageClass !== undefined || own.length === 0 ? claims : [retainingClass(), ...claims];
}

/** The disks of the nodes, by the provisioner that K3s brings; its own class deletes the data with the claim. */
function retainingClass(): Manifest {
  return clusterWide("storage.k8s.io/v1", "StorageClass", STORAGE_CLASS, {
    provisioner: "rancher.io/local-path",
    reclaimPolicy: "Retain",
    volumeBindingMode: "WaitForFirstConsumer",
  });
}

/** The objects of a data service. */
export function dataService(name: DataService, settings: KubernetesSettings): Manifest[] {
  const container = (name === "postgres" ? postgres : redis)(dataLimits(name, settings).memoryMiB);
  const labels = selectorOf(name);
  const { port } = OWN_DATA[name];
  const ports = [{ name: "data", port, targetPort: "data", protocol: "TCP" }];
  return [
    serviceAccount(name),
    namespaced("v1", "Service", name, {
      spec: { type: "ClusterIP", clusterIP: "None", selector: labels, ports },
    }),
    namespaced("apps/v1", "StatefulSet", name, {
      spec: {
        serviceName: name,
        replicas: 1,
        // Else a pod that does not start is waited for, also when its StatefulSet has been fixed meanwhile.
        podManagementPolicy: "Parallel",
        revisionHistoryLimit: 3,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, [DATA_LABEL]: "true" } },
          spec: podSpec(name, settings, container),
        },
      },
    }),
    disruptionBudget(name),
  ];
}

interface DataContainer {
  command?: readonly string[];
  args?: readonly string[];
  env: readonly object[];
  startupProbe: object;
  readinessProbe: object;
  livenessProbe: object;
  /** Where the volume is mounted. */
  dataPath: string;
  /** Further directories that can be written. */
  scratch: readonly { volume: object; mount: object }[];
  stopSeconds: number;
}

function postgres(memoryMiB: number): DataContainer {
  const ready = { exec: { command: ["sh", "-c", POSTGRES_READY] }, periodSeconds: 5, timeoutSeconds: 5 };
  const memory = { medium: "Memory", sizeLimit: "256Mi" };
  return {
    args: postgresCommand(memoryMiB),
    env: fromSecrets(["POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"]),
    // A crash recovery reads the write-ahead log first, which may take an hour; only then does the rest count.
    startupProbe: { ...ready, failureThreshold: 720 },
    readinessProbe: { ...ready, failureThreshold: 3 },
    livenessProbe: LISTENING,
    dataPath: "/var/lib/postgresql", // in the layout that the official image has from version 18 on
    scratch: [
      { volume: { name: "shm", emptyDir: memory }, mount: { name: "shm", mountPath: "/dev/shm" } },
      scratch("run", "/var/run/postgresql", 16),
      scratch("tmp", "/tmp", 256),
    ],
    // A checkpoint of a busy database takes its time; SIGKILL would mean a crash recovery at the next start.
    stopSeconds: 120,
  };
}

function redis(memoryMiB: number): DataContainer {
  const ready = { exec: { command: ["sh", "-c", REDIS_READY] }, periodSeconds: 5, timeoutSeconds: 5 };
  return {
    command: ["/bin/sh", "-ec", redisScript(memoryMiB)],
    env: fromSecrets(["REDIS_PASSWORD"]),
    startupProbe: { ...ready, failureThreshold: 120 }, // it reads its append-only file first
    readinessProbe: { ...ready, failureThreshold: 3 },
    livenessProbe: LISTENING,
    dataPath: "/data",
    scratch: [scratch("tmp", "/tmp", 16)],
    stopSeconds: 30,
  };
}

/** Two minutes without an open port mean that the process is stuck. Being slow is no reason to restart a database. */
const LISTENING = {
  tcpSocket: { port: "data" },
  periodSeconds: 10,
  timeoutSeconds: 5,
  failureThreshold: 12,
};

function podSpec(name: DataService, settings: KubernetesSettings, parts: DataContainer) {
  const { dataPath, scratch, stopSeconds, ...container } = parts;
  const limits = dataLimits(name, settings);
  return {
    ...podDefaults(name, DATA_USER, settings),
    priorityClassName: PRIORITY.data,
    terminationGracePeriodSeconds: stopSeconds,
    nodeSelector: STORAGE_NODE,
    affinity: { podAntiAffinity: OTHER_DATA_ELSEWHERE },
    containers: [
      {
        name,
        image: settings.images[name],
        ...container,
        ports: [{ name: "data", containerPort: OWN_DATA[name].port }],
        // The memory asked for is the memory it gets, so that a full node does not end it.
        resources: resources({ ...limits, cpus: Math.min(0.25, limits.cpus) }, limits, 512),
        ...CONFINED,
        volumeMounts: [{ name: "data", mountPath: dataPath }, ...scratch.map(({ mount }) => mount)],
      },
    ],
    volumes: [
      { name: "data", persistentVolumeClaim: { claimName: `${name}-data` } },
      ...scratch.map(({ volume }) => volume),
    ],
  };
}

/** PostgreSQL and Redis rather on different nodes, where there are two. */
const OTHER_DATA_ELSEWHERE = {
  preferredDuringSchedulingIgnoredDuringExecution: [
    {
      weight: 50,
      podAffinityTerm: {
        topologyKey: "kubernetes.io/hostname",
        labelSelector: { matchLabels: { [DATA_LABEL]: "true" } },
      },
    },
  ],
};
