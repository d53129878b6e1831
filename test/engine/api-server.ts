import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type GoToolName, goTool } from "../../tools/setup/go-tool.ts";
import { freePort } from "../docker/host.ts";
import { KubernetesClient } from "../kubernetes-client.ts";
import { customResourceDefinitions } from "../manifests/schemas.ts";
import { Processes } from "../processes.ts";

/** What {@link ApiServer} is made of. */
export const API_SERVER_TOOLS = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"] as const;

/** Milliseconds until it has to be ready. */
const START = 60_000;

/** Where pods and Services have their addresses; those of K3s. */
export const RANGES = { pods: "10.42.0.0/16", services: "10.43.0.0/16" };

export interface ApiServerOptions {
  /** Without controllers, nothing is made from what it is told. */
  controllers: boolean;
  /** An address of this machine on which pods reach the API server. Default: loopback alone. */
  address?: string;
}

/** A real Kubernetes without nodes: etcd, API server and controllers, on this machine, in a folder of its own. */
export class ApiServer extends KubernetesClient {
  readonly folder = mkdtempSync(join(tmpdir(), "rejourney-kubernetes-"));
  readonly processes = new Processes(this.folder);
  readonly #token = randomBytes(16).toString("hex");
  readonly #address: string | undefined;
  #port = 0;

  private constructor({ address }: ApiServerOptions) {
    super();
    this.#address = address;
  }

  static async start(options: ApiServerOptions): Promise<ApiServer> {
    const server = new ApiServer(options);
    try {
      await server.#start(options.controllers);
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** The path of a kubeconfig. Each address is another one of the same server; without authority it is not verified. */
  kubeconfig({ host = this.#address ?? "127.0.0.1", verified = true } = {}): string {
    const path = join(this.folder, `${host}-${verified}.kubeconfig`);
    if (existsSync(path)) return path;
    const authority = readFileSync(this.#authority, "base64");
    const cluster = {
      server: `https://${host}:${this.#port}`,
      ...(verified ? { "certificate-authority-data": authority } : { "insecure-skip-tls-verify": true }),
    };
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "test",
      clusters: [{ name: "test", cluster }],
      users: [{ name: "test", user: { token: this.#token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    };
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  /** Takes the API server away, or brings it back. */
  async reachable(wanted: boolean): Promise<void> {
    await this.processes.stop("kube-apiserver");
    if (!wanted) return;
    this.processes.startAgain("kube-apiserver");
    await this.#ready();
  }

  async remove(): Promise<void> {
    await this.processes.stopAll();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #start(controllers: boolean): Promise<void> {
    const [client, peer] = [await freePort(), await freePort()];
    this.#port = await freePort();
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const accounts = this.#write(
      "accounts.key",
      privateKey.export({ type: "pkcs8", format: "pem" }) as string,
    );
    const tokens = this.#write("tokens.csv", `${this.#token},admin,admin,system:masters\n`);
    await this.begin("etcd", [
      `--data-dir=${join(this.folder, "etcd")}`,
      "--unsafe-no-fsync", // a test's data is nobody's loss
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      "--log-level=warn",
    ]);
    await this.begin("kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${client}`,
      ...(this.#address === undefined
        ? ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]
        : [`--bind-address=${this.#address}`, "--kubelet-preferred-address-types=InternalIP"]),
      `--secure-port=${this.#port}`,
      `--cert-dir=${join(this.folder, "certificates")}`,
      `--service-cluster-ip-range=${RANGES.services}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${accounts}`,
      `--service-account-signing-key-file=${accounts}`,
      `--token-auth-file=${tokens}`,
      "--authorization-mode=RBAC",
      "--allow-privileged=true", // as K3s does; Pod Security says where
    ]);
    await this.#ready();
    if (controllers)
      await this.begin("kube-controller-manager", [
        `--kubeconfig=${this.kubeconfig()}`,
        `--service-account-private-key-file=${accounts}`,
        `--root-ca-file=${this.#authority}`,
        "--leader-elect=false",
        "--secure-port=0",
        "--horizontal-pod-autoscaler-sync-period=2s",
      ]);
    const definitions = await customResourceDefinitions(() => {});
    const paths = definitions.map((path) => `--filename=${path}`);
    await this.kubectl(["apply", "--server-side", ...paths]);
    await this.apply([HELM_CHART_CONFIG]);
    await this.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  }

  /** What verifies the API server's certificate. */
  get #authority(): string {
    return join(this.folder, "certificates", "apiserver.crt");
  }

  #write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /** Starts a part of Kubernetes. */
  async begin(name: GoToolName, flags: readonly string[]): Promise<void> {
    this.processes.start(name, [await goTool(name, () => {}), ...flags]);
  }

  async #ready(): Promise<void> {
    for (const end = Date.now() + START; ; await sleep(200)) {
      this.processes.needRunning(end);
      try {
        if ((await this.kubectl(["get", "--raw", "/readyz"])) === "ok") return;
      } catch {
        // Not yet.
      }
    }
  }
}

/** K3s defines it; its definition is not to be had from a Go module. */
const HELM_CHART_CONFIG = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "helmchartconfigs.helm.cattle.io" },
  spec: {
    group: "helm.cattle.io",
    scope: "Namespaced",
    names: { kind: "HelmChartConfig", plural: "helmchartconfigs", singular: "helmchartconfig" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                properties: { valuesContent: { type: "string" }, failurePolicy: { type: "string" } },
              },
            },
          },
        },
      },
    ],
  },
};
