import { servicesOn } from "../app/catalogue.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { certificates } from "../edge/certificates.ts";
import { traefikDashboard } from "../edge/dashboard.ts";
import { ingress } from "../edge/ingress.ts";
import { traefikConfig } from "../edge/traefik.ts";
import { dataService, ownDataServices, volumes } from "./data.ts";
import type { Manifest } from "../manifest.ts";
import { migrate } from "./migrate.ts";
import { namespace } from "./namespace.ts";
import { networkPolicies } from "./network.ts";
import { workload } from "./workload.ts";

/** Objects that belong together; also a rendered file. */
export interface Part {
  name: string;
  manifests: Manifest[];
}

/**
 * The deployment but for its Secrets, which come after the first stage. The parts of a stage are applied side by side,
 * after all parts of the stages before.
 */
export function stages(settings: KubernetesSettings): Part[][] {
  const services = servicesOn("kubernetes").map((service) => part(service.name, workload(service, settings)));
  const isApi = ({ name }: Part) => name === "api";
  return [
    // With the volumes: what is kept when all else goes must not depend on it. A claim keeps its StorageClass too.
    [part("namespace", [...namespace(settings), ...volumes(settings)])],
    [
      part("network-policies", networkPolicies(settings)),
      part("traefik", [traefikConfig(), ...traefikDashboard(settings), ...certificates(settings)]),
    ],
    ownDataServices(settings).map((name) => part(name, dataService(name, settings))),
    [part("migrate", migrate(settings))],
    // Alone: the workers run the same image, and one that does not start is to end the run before they change.
    services.filter(isApi),
    services.filter((service) => !isApi(service)),
    // Last: nobody is led to a service before it answers.
    [part("ingress", ingress(settings))],
  ].filter((stage) => stage.length > 0);
}

const WORKLOADS = ["Deployment", "StatefulSet", "Job"];
/** What points at others; a Service waits until there is a pod behind it. */
const AFTER_OTHERS = ["Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress", "IngressRoute"];

/** The step of its part in which an object is applied. */
export function stepOf({ kind, spec }: Manifest): number {
  if (["Namespace", "StorageClass"].includes(kind)) return 0;
  // The name of a StatefulSet's pod: who asks for it too early is told for a while that it does not exist.
  if (kind === "Service" && (spec as { clusterIP?: string }).clusterIP === "None") return 1;
  if (WORKLOADS.includes(kind)) return 2;
  return AFTER_OTHERS.includes(kind) ? 3 : 1;
}

function part(name: string, manifests: Manifest[]): Part {
  return { name, manifests: manifests.toSorted((a, b) => stepOf(a) - stepOf(b)) };
}
