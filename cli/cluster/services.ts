import { setTimeout as sleep } from "node:timers/promises";
import type { V1Deployment, V1Pod } from "@kubernetes/client-node";
import { servicesOn } from "../../infra/app/catalogue.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { log } from "../terminal/output.ts";
import { toldTroubles } from "./trouble-report.ts";
import { areWell, needAllWell, type ServiceReport } from "../terminal/service-report.ts";
import type { Resource } from "../engine/stack.ts";

/** Resources that run pods for good, and where the API server keeps them. */
const WORKLOADS: Record<string, string> = {
  "kubernetes:apps/v1:Deployment": "deployments",
  "kubernetes:apps/v1:StatefulSet": "statefulsets",
};

/** Milliseconds; a new pod has two minutes to start. */
const SETTLING = 180_000;

/** Compares what runs with what the state says was deployed, service by service. */
export async function clusterServices(
  api: ClusterApi,
  resources: readonly Resource[],
): Promise<ServiceReport[]> {
  const pods = await api.list<V1Pod>(`/api/v1/namespaces/${NAMESPACE}/pods`);
  const deployed = resources.filter(({ type }) => type in WORKLOADS).toSorted((a, b) => place(a) - place(b));
  return Promise.all(
    deployed.map(async ({ type, inputs }) => {
      const wanted = inputs as unknown as V1Deployment;
      const service = wanted.metadata!.name!;
      const path = `/apis/apps/v1/namespaces/${NAMESPACE}/${WORKLOADS[type]}/${service}`;
      const own = pods.filter(({ metadata }) => metadata?.labels?.["app.kubernetes.io/name"] === service);
      return report(service, wanted, await api.get<V1Deployment>(path), own);
    }),
  );
}

/** The same, once all is well, or after three minutes: an autoscaler may have asked for pods that are still starting. */
export async function settledPods(api: ClusterApi, resources: readonly Resource[]): Promise<ServiceReport[]> {
  const end = Date.now() + SETTLING;
  for (let said = ""; ; await sleep(1000)) {
    const services = await clusterServices(api, resources);
    const unhealthy = services.filter(({ trouble }) => trouble !== "");
    if (Date.now() > end || unhealthy.length === 0) return services;
    const line = unhealthy.map(({ service, trouble }) => `${service} (${trouble})`).join(", ");
    if (line !== said) log(`Waiting for ${(said = line)} …`);
  }
}

/** The application first, in the order of its catalogue. */
function place({ inputs }: Resource): number {
  const names = [...servicesOn("kubernetes").map(({ name }): string => name), "postgres", "redis"];
  return names.indexOf((inputs as unknown as V1Deployment).metadata!.name!);
}

function report(
  service: string,
  wanted: V1Deployment,
  live: V1Deployment | undefined,
  pods: readonly V1Pod[],
): ServiceReport {
  const image = (from: V1Deployment) => from.spec!.template.spec!.containers[0]!.image!;
  const desired = live?.spec?.replicas ?? 1;
  const ready = live?.status?.readyReplicas ?? 0;
  const containers = pods.flatMap(({ status }) => status?.containerStatuses ?? []);
  const other = live !== undefined && image(live) !== image(wanted);
  return {
    service,
    status: live === undefined ? "missing" : desired === 0 ? "off" : `healthy (${ready} of ${desired})`,
    image: image(live ?? wanted),
    restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
    trouble: [
      ...(live === undefined ? ["missing"] : []),
      ...(ready < desired && live !== undefined ? [`${ready} of ${desired} pods ready`] : []),
      ...(other ? [`runs ${image(live)} instead of ${image(wanted)}`] : []),
    ].join(", "),
  };
}

/** Throws Failure, with the reasons and what fixes them, when a service is not as the stack says. */
export async function needWellPods(
  services: readonly ServiceReport[],
  stack: string,
  api: ClusterApi,
): Promise<void> {
  if (areWell(services)) return;
  const told = await toldTroubles(api, stack);
  if (told !== "") log(told);
  const flags = `--namespace ${NAMESPACE} --selector app.kubernetes.io/name=`;
  needAllWell(services, { stack, tells: (service) => `kubectl describe pod ${flags}${service}` });
}
