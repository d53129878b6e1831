import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Node } from "@kubernetes/client-node";
import { execa } from "execa";
import { STORAGE_NODE } from "../../infra/kubernetes/data.ts";
import type { GoToolName } from "../../tools/setup/go-tool.ts";
import { type ApiServer, RANGES } from "../engine/api-server.ts";
import type { Prepared } from "./isolation.ts";

/** What {@link startNode} runs, beside the API server's own. */
export const NODE_TOOLS = ["kube-scheduler", "kubelet", "kube-proxy"] as const satisfies GoToolName[];

/** The node's address, on an interface that leads nowhere. */
export const NODE_ADDRESS = "10.41.0.1";
/** Of the cluster's DNS, as in K3s. */
export const DNS_ADDRESS = "10.43.0.10";
export const NODE_NAME = "node-1";
const POD_RANGE = "10.42.0.0/24";
const SOCKET = "/run/containerd/containerd.sock";
/** Milliseconds until it has to be ready. */
const START = 60_000;

/** Gives this network namespace the node's address; there is no way out of it. */
export async function setUpNetwork(): Promise<void> {
  for (const command of [
    "link set lo up",
    "link add node0 type bridge",
    `address add ${NODE_ADDRESS}/24 dev node0`,
    "link set node0 up",
    // Else the kernel refuses an address of a Service before kube-proxy's rules see it.
    `route add ${RANGES.services} dev node0`,
  ])
    await execa("ip", command.split(" "));
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

/**
 * A real node of a cluster: containerd with its images, kubelet and kube-proxy, and the scheduler; in the namespaces
 * that the run of the tier has made.
 */
export async function startNode(server: ApiServer, { folder, file: saved, images }: Prepared): Promise<void> {
  const file = (name: string, content: string | object) => {
    const path = join(folder, name);
    writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  };
  mkdirSync(join(folder, "cni"));
  file("cni/10-pods.conflist", NETWORK);
  const { processes } = server;
  processes.start("containerd", [
    "containerd",
    "--config",
    file("containerd.toml", containerd(folder, images.pause)),
  ]);
  const kubeconfig = `--kubeconfig=${server.kubeconfig()}`;
  await server.begin("kube-scheduler", [kubeconfig, "--leader-elect=false", "--secure-port=0"]);
  await server.begin("kube-proxy", [
    kubeconfig,
    `--hostname-override=${NODE_NAME}`,
    `--cluster-cidr=${RANGES.pods}`,
    "--proxy-mode=iptables",
    // Answers between two pods of a node would pass its rules by otherwise.
    "--masquerade-all",
    // These belong to the machine.
    "--conntrack-max-per-core=0",
    "--conntrack-min=0",
  ]);
  for (
    const end = Date.now() + START;
    (await execa("ctr", ["version"], { reject: false })).failed;
    await sleep(100)
  )
    processes.needRunning(end);
  await execa("ctr", ["--namespace=k8s.io", "images", "import", saved]);
  const [[label, value]] = Object.entries(STORAGE_NODE) as [[string, string]];
  await server.begin("kubelet", [
    kubeconfig,
    `--config=${file("kubelet.json", kubelet(folder, file("resolv.conf", "")))}`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${NODE_ADDRESS}`,
    `--node-labels=${label}=${value}`,
  ]);
  for (const end = Date.now() + START; !(await isReady(server)); await sleep(200)) processes.needRunning(end);
}

async function isReady(server: ApiServer): Promise<boolean> {
  const node = await server.api().get<V1Node>(`/api/v1/nodes/${NODE_NAME}`);
  return node?.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

const NETWORK = {
  cniVersion: "1.0.0",
  name: "pods",
  plugins: [
    {
      type: "bridge",
      bridge: "cni0",
      isGateway: true,
      hairpinMode: true,
      ipam: { type: "host-local", ranges: [[{ subnet: POD_RANGE }]], routes: [{ dst: "0.0.0.0/0" }] },
    },
    { type: "portmap", capabilities: { portMappings: true } },
  ],
};

function containerd(folder: string, pause: string): string {
  return `version = 2
root = "${join(folder, "containerd")}"
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  # Lowering it takes a right that root does not have everywhere.
  restrict_oom_score_adj = true
  sandbox_image = "${pause}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${join(folder, "cni")}"
`;
}

function kubelet(folder: string, resolvConf: string) {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${basename(folder)}`,
    failCgroupV1: false,
    failSwapOn: false,
    // Whoever reaches it is part of the test.
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    clusterDNS: [DNS_ADDRESS],
    clusterDomain: "cluster.local",
    resolvConf,
    enforceNodeAllocatable: [],
    // A full disk of the machine is no reason to remove what cannot be pulled again.
    evictionHard: {},
    imageGCHighThresholdPercent: 100,
    serializeImagePulls: false,
  };
}
