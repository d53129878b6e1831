import { SERVICES } from "../../infra/app/catalogue.ts";
import type { Manifest } from "../../infra/manifest.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import { kubernetesSettings } from "./values.ts";

interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env: EnvVariable[];
  resources: Record<"requests" | "limits", Record<string, string>>;
  securityContext: object;
  lifecycle?: object;
  volumeMounts?: { name: string; mountPath: string }[];
  startupProbe?: object;
  readinessProbe?: object;
  livenessProbe?: object;
}
interface EnvVariable {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef: { name: string; key: string; optional?: boolean } };
}
interface Pod {
  serviceAccountName: string;
  automountServiceAccountToken: boolean;
  enableServiceLinks: boolean;
  imagePullSecrets?: object[];
  priorityClassName: string;
  securityContext: object;
  terminationGracePeriodSeconds?: number;
  nodeSelector?: object;
  topologySpreadConstraints?: object[];
  initContainers?: (Container & { restartPolicy?: string })[];
  containers: [Container];
  volumes: { name: string }[];
}
export interface Spec extends Record<string, unknown> {
  replicas?: number;
  template: { metadata: { labels: Record<string, string> }; spec: Pod };
}

export function manifests(config: Record<string, unknown> = {}, env = ""): Manifest[] {
  return stages(kubernetesSettings(config, env)).flatMap((stage) => stage.flatMap((part) => part.manifests));
}
export const ofKind = (all: readonly Manifest[], kind: string) =>
  all.filter((manifest) => manifest.kind === kind);
export const namesOf = (all: readonly Manifest[], kind: string) =>
  ofKind(all, kind).map(({ metadata }) => metadata.name);
export const specOf = (all: readonly Manifest[], kind: string, name: string) =>
  ofKind(all, kind).find(({ metadata }) => metadata.name === name)?.spec as Spec | undefined;

/** Every pod, by the name of its workload; of the Job, without its hash. */
export function pods(all: readonly Manifest[]): Record<string, Pod> {
  const workloads = all.filter(({ kind }) => ["Deployment", "StatefulSet", "Job"].includes(kind));
  return Object.fromEntries(
    workloads.map(({ metadata, spec }) => [
      metadata.name.replace(/^migrate-.*/, "migrate"),
      (spec as Spec).template.spec,
    ]),
  );
}
export const containersOf = ({ initContainers = [], containers }: Pod) => [...initContainers, ...containers];
export const WORKLOADS = ["postgres", "redis", "migrate", ...SERVICES.map(({ name }) => name)];
