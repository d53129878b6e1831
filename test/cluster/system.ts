// What a cluster runs of its own, as far as the stack needs it.
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { traefikConfig } from "../../infra/edge/traefik.ts";
import type { Metadata } from "../../infra/manifest.ts";
import type { Prepared } from "./isolation.ts";
import { DNS_ADDRESS, NODE_NAME } from "./node.ts";

const SYSTEM = "kube-system";

/** An object of any kind. */
interface TestObject {
  apiVersion: string;
  kind: string;
  metadata: Metadata;
  [field: string]: unknown;
}

function system(apiVersion: string, kind: string, name: string, rest: object): TestObject {
  return { apiVersion, kind, metadata: { name, namespace: SYSTEM }, ...rest };
}

/** An account that may read kinds, by `<group>/<kinds>`. */
function reader(name: string, readable: Record<string, string[]>): TestObject[] {
  const rules = Object.entries(readable).map(([group, resources]) => ({
    apiGroups: [group],
    resources,
    verbs: ["get", "list", "watch"],
  }));
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
  const subjects = [{ kind: "ServiceAccount", name, namespace: SYSTEM }];
  return [
    system("v1", "ServiceAccount", name, {}),
    { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name }, rules },
    {
      ...{ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata: { name } },
      roleRef,
      subjects,
    },
  ];
}

function deployment(name: string, container: object, spec: object = {}): TestObject {
  const labels = { "app.kubernetes.io/name": name };
  return system("apps/v1", "Deployment", name, {
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          serviceAccountName: name,
          priorityClassName: "system-cluster-critical",
          containers: [{ name, ...container }],
          ...spec,
        },
      },
    },
  });
}

function service(name: string, app: string, spec: object): TestObject {
  return system("v1", "Service", name, { spec: { selector: { "app.kubernetes.io/name": app }, ...spec } });
}

const COREFILE = `.:53 {
  errors
  health
  ready
  kubernetes cluster.local in-addr.arpa
  cache 5
}
`;

export function coredns({ images }: Prepared): TestObject[] {
  return [
    ...reader("coredns", {
      "": ["endpoints", "services", "pods", "namespaces"],
      "discovery.k8s.io": ["endpointslices"],
    }),
    system("v1", "ConfigMap", "coredns", { data: { Corefile: COREFILE } }),
    deployment(
      "coredns",
      {
        image: images.coredns,
        args: ["-conf", "/etc/coredns/Corefile"],
        readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
        volumeMounts: [{ name: "config", mountPath: "/etc/coredns" }],
      },
      { dnsPolicy: "Default", volumes: [{ name: "config", configMap: { name: "coredns" } }] },
    ),
    service("kube-dns", "coredns", {
      clusterIP: DNS_ADDRESS,
      ports: [
        { name: "dns", port: 53, protocol: "UDP" },
        { name: "dns-tcp", port: 53, protocol: "TCP" },
      ],
    }),
  ];
}

/**
 * Traefik, in place of K3s's chart and the controller that applies it: with the flags that the stack gives it, one pod,
 * and without what takes requests from outside the cluster.
 */
export function traefik({ images }: Prepared): TestObject[] {
  const { valuesContent } = traefikConfig().spec as { valuesContent: string };
  const { additionalArguments } = parse(valuesContent) as { additionalArguments: string[] };
  return [
    ...reader("traefik", {
      "": ["services", "secrets", "nodes", "namespaces", "configmaps"],
      "discovery.k8s.io": ["endpointslices"],
      "networking.k8s.io": ["ingresses", "ingressclasses"],
      "traefik.io": ["*"],
    }),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name: "traefik" },
      spec: { controller: "traefik.io/ingress-controller" },
    },
    deployment("traefik", {
      image: images.traefik,
      args: [
        "--entryPoints.web.address=:8000",
        "--entryPoints.websecure.address=:8443",
        "--entryPoints.websecure.http.tls=true",
        "--ping=true",
        "--providers.kubernetesIngress=true",
        "--providers.kubernetesCRD=true",
        ...additionalArguments,
      ],
      readinessProbe: { httpGet: { path: "/ping", port: 8080 }, periodSeconds: 1 },
    }),
    service("traefik", "traefik", {
      ports: [
        { name: "web", port: 80, targetPort: 8000 },
        { name: "websecure", port: 443, targetPort: 8443 },
      ],
    }),
  ];
}

/** Empty volumes of the node's disk for the claims of the data services, in place of K3s's provisioner. */
export function volumes({ folder }: Prepared): TestObject[] {
  const onNode = { key: "kubernetes.io/hostname", operator: "In", values: [NODE_NAME] };
  return ["first", "second"].map((name) => {
    const path = join(folder, "volumes", name);
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o777); // as that provisioner does
    return {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name },
      spec: {
        capacity: { storage: "20Gi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "rejourney-data",
        local: { path },
        nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [onNode] }] } },
      },
    };
  });
}
