import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { KubernetesObject } from "../../infra/cluster/api.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import type { ApiServer } from "./api-server.ts";

/** The committed manifests. */
export const RENDERED = join(projectRoot, "k8s");

type Metadata = KubernetesObject["metadata"];
type Spec = Record<string, unknown> & {
  template?: { metadata?: Pick<Metadata, "labels" | "annotations"> };
};

/** The objects of {@link RENDERED} as an API server has them, without what each server makes up by itself. */
export async function renderedObjects(server: ApiServer): Promise<unknown[]> {
  const rendered = readdirSync(RENDERED)
    .flatMap((name) => parseAllDocuments(readFileSync(join(RENDERED, name), "utf8")))
    .map((document) => document.toJS() as KubernetesObject);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: rendered });
  const { items } = JSON.parse(await server.kubectl(["get", "--output=json", "--filename=-"], list)) as {
    items: KubernetesObject[];
  };
  return items.map((object, index) => meant(object, rendered[index]!));
}

function meant(object: KubernetesObject, rendered: KubernetesObject) {
  const { apiVersion, kind, metadata, status, ...rest } = object;
  void status;
  const spec: Spec | undefined = rest.spec;
  const madeUp = {
    Service: ["clusterIP", "clusterIPs"],
    PersistentVolumeClaim: ["volumeName"],
    Job: ["selector"], // by the Job's uid
    Deployment: rendered.spec?.replicas === undefined ? ["replicas"] : [], // the autoscaler's
  }[kind];
  for (const key of madeUp ?? []) delete spec?.[key];
  const { name, namespace } = metadata;
  if (spec?.template !== undefined) spec.template.metadata = own(spec.template.metadata ?? {});
  return { apiVersion, kind, name, namespace, ...own(metadata), ...rest };
}

/** Labels and annotations but for those that controllers, clients, plugin and the program's own hash add. */
function own({ labels = {}, annotations = {} }: Pick<Metadata, "labels" | "annotations">) {
  const without = (values: Record<string, string>, added: RegExp) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => !added.test(key)));
  return {
    labels: without(labels, /controller-uid$/),
    annotations: without(
      annotations,
      /^(kubectl|deployment)\.kubernetes\.io\/|^pulumi\.com\/|^rejourney\.co\/secrets-hash$/,
    ),
  };
}
