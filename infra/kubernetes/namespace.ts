import { limitsOf, MIGRATE, type Resources, servicesOn } from "../app/catalogue.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { dataLimits, ownDataServices } from "./data.ts";
import { clusterWide, type Manifest, NAMESPACE, namespaced } from "../manifest.ts";
import { millicores } from "./pod.ts";
import { priorityClasses } from "./priority.ts";
import { scalingOf } from "./workload.ts";

const MODES = ["enforce", "audit", "warn"];

/** What Jobs beside the application may take, such as a backup or a pod that somebody starts by hand. */
const HEADROOM = { pods: 10, cpus: 4, memoryMiB: 8192 };

/** The namespace and what holds for every pod in it. */
export function namespace(settings: KubernetesSettings): Manifest[] {
  const restricted = MODES.map((mode) => [`pod-security.kubernetes.io/${mode}`, "restricted"] as const);
  return [
    clusterWide("v1", "Namespace", NAMESPACE, {}, Object.fromEntries(restricted)),
    ...priorityClasses(),
    namespaced("v1", "ResourceQuota", "quota", { spec: { hard: quota(settings) } }),
    // For pods that somebody starts by hand; every pod of the deployment names its own.
    namespaced("v1", "LimitRange", "defaults", {
      spec: {
        limits: [
          {
            type: "Container",
            default: { cpu: "500m", memory: "512Mi", "ephemeral-storage": "256Mi" },
            defaultRequest: { cpu: "50m", memory: "64Mi", "ephemeral-storage": "64Mi" },
          },
        ],
      },
    }),
  ];
}

/** Room for every service at its most pods, one more each during a rollout, and some headroom; no more than that. */
function quota(settings: KubernetesSettings) {
  const services = servicesOn("kubernetes").map((service) => {
    const limits = limitsOf(settings.services[service.name], service.resources);
    return { pods: scalingOf(service, settings).max + 1, limits };
  });
  const data = ownDataServices(settings).map((name) => ({ pods: 1, limits: dataLimits(name, settings) }));
  const all = [...services, ...data, { pods: 2, limits: MIGRATE.resources }];
  const sum = (of: (limits: Resources) => number) =>
    all.reduce((total, { pods, limits }) => total + pods * of(limits), 0);
  return {
    pods: String(all.reduce((total, { pods }) => total + pods, HEADROOM.pods)),
    "limits.cpu": millicores(sum(({ cpus }) => cpus) + HEADROOM.cpus),
    "limits.memory": `${sum(({ memoryMiB }) => memoryMiB) + HEADROOM.memoryMiB}Mi`,
  };
}
