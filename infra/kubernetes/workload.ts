import { limitsOf, type Scaling, type Service } from "../app/catalogue.ts";
import { ALIVE_COMMAND, healthCommand } from "../app/health.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { autoscaler, disruptionBudget, spread } from "./availability.ts";
import { type Manifest, namespaced, selectorOf } from "../manifest.ts";
import { CONFINED, podDefaults, resources, scratch, serviceAccount } from "./pod.ts";
import { PRIORITY } from "./priority.ts";
import { fromSecrets } from "./secret-groups.ts";

/** The uid of the application's images. */
export const APP_USER = 1000;

/** Seconds that a pod still answers after it was told to end: Traefik learns of the end some time later. */
const PRE_STOP_SECONDS = 10;

/** A service of the catalogue as a workload of its own: account, Deployment, and what keeps it reachable. */
export function workload(service: Service, settings: KubernetesSettings): Manifest[] {
  const { name, port } = service;
  const scaling = scalingOf(service, settings);
  return [
    serviceAccount(name),
    deployment(service, scaling, settings),
    ...(port === undefined ? [] : [clusterService(name, port)]),
    disruptionBudget(name),
    ...(isScaled(scaling) ? [autoscaler(name, scaling)] : []),
  ];
}

/** How many pods a service may have: the settings', else the catalogue's. */
export function scalingOf({ name, scaling }: Service, { services }: KubernetesSettings): Scaling {
  const { min, max, cpuPercent } = scaling ?? { min: 1, max: 1, cpuPercent: 70 };
  const { replicas, maxReplicas } = services[name] ?? {};
  const most = maxReplicas ?? replicas ?? max;
  return { min: Math.min(replicas ?? min, most), max: most, cpuPercent };
}

function isScaled({ min, max }: Scaling): boolean {
  return max > min;
}

function deployment(service: Service, scaling: Scaling, settings: KubernetesSettings): Manifest {
  const { name } = service;
  const spec = {
    // Where an autoscaler owns the number, it is not ours to set.
    ...(!isScaled(scaling) && { replicas: scaling.min }),
    revisionHistoryLimit: 3,
    progressDeadlineSeconds: startSecondsOf(service, settings) + 180,
    // A new pod first, an old one only after it is ready: no moment with fewer pods than wanted.
    strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
    selector: { matchLabels: selectorOf(name) },
    template: {
      metadata: { labels: { ...selectorOf(name), ...reachLabels(service) } },
      spec: podSpec(service, settings),
    },
  };
  return namespaced("apps/v1", "Deployment", name, { spec });
}

function podSpec(service: Service, settings: KubernetesSettings) {
  const { name, port, stopSeconds } = service;
  const served = port !== undefined;
  return {
    ...podDefaults(name, APP_USER, settings),
    priorityClassName: served ? PRIORITY.serving : PRIORITY.worker,
    terminationGracePeriodSeconds: stopSeconds + (served ? PRE_STOP_SECONDS : 0),
    ...spread(name),
    containers: [container(service, settings)],
    volumes: [TMP.volume],
  };
}

const TMP = scratch("tmp", "/tmp", 64);

function container(service: Service, settings: KubernetesSettings) {
  const { name, port } = service;
  const override = settings.services[name];
  const command = override?.command ?? service.command;
  const limits = limitsOf(override, service.resources);
  // A limit below the request would be refused.
  const requests = {
    cpus: Math.min(service.requests.cpus, limits.cpus),
    memoryMiB: Math.min(service.requests.memoryMiB, limits.memoryMiB),
  };
  return {
    name,
    image: settings.images[service.image],
    ...(command && { args: command }),
    env: environment(service),
    ...(port !== undefined && {
      ports: [{ name: "http", containerPort: port }],
      lifecycle: { preStop: { sleep: { seconds: PRE_STOP_SECONDS } } },
    }),
    ...probes(service, settings),
    resources: resources(requests, limits),
    ...CONFINED,
    volumeMounts: [TMP.mount],
  };
}

function environment({ port, fixed, variables, secrets, derived, optional = [] }: Service) {
  const plain = {
    NODE_ENV: "production",
    ...(port !== undefined && { PORT: String(port) }),
    ...fixed,
  };
  return [
    ...Object.entries(plain).map(([name, value]) => ({ name, value })),
    ...fromSecrets([...variables, ...derived, ...secrets, ...optional]),
  ];
}

/** How long a pod may take from its start until it is healthy. */
function startSecondsOf({ name }: Service, { services }: KubernetesSettings): number {
  return services[name]?.startSeconds ?? 120;
}

function probes(service: Service, settings: KubernetesSettings) {
  const failures = (periodSeconds: number) => ({
    periodSeconds,
    failureThreshold: Math.ceil(startSecondsOf(service, settings) / periodSeconds),
  });
  if (service.health.kind === "http") {
    const httpGet = { path: service.health.path, port: "http" };
    return {
      startupProbe: { httpGet, timeoutSeconds: 5, ...failures(2) },
      readinessProbe: { httpGet, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 2 },
      // Whether the process answers at all. Its health depends on the database, and a restart fixes no database.
      livenessProbe: {
        tcpSocket: { port: "http" },
        periodSeconds: 10,
        timeoutSeconds: 5,
        failureThreshold: 6,
      },
    };
  }
  const connected = { exec: { command: healthCommand(service, settings.addresses) } };
  return {
    startupProbe: { ...connected, timeoutSeconds: 10, ...failures(3) },
    readinessProbe: { ...connected, periodSeconds: 15, timeoutSeconds: 10, failureThreshold: 2 },
    // Five minutes: longer than an outage of the database usually takes, so that it does not restart every worker.
    livenessProbe: {
      exec: { command: ALIVE_COMMAND },
      periodSeconds: 30,
      timeoutSeconds: 10,
      failureThreshold: 10,
    },
  };
}

function clusterService(name: string, port: number): Manifest {
  const ports = [{ name: "http", port, targetPort: "http", protocol: "TCP" }];
  return namespaced("v1", "Service", name, {
    spec: { type: "ClusterIP", selector: selectorOf(name), ports },
  });
}

/** Labels by which the NetworkPolicies let a pod reach a data service. */
export function reachLabels({ needs }: Pick<Service, "needs">): Record<string, string> {
  return Object.fromEntries(needs.map((need) => [`rejourney.co/reaches-${need}`, "true"]));
}
