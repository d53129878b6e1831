import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { ClusterApi } from "../../infra/kubernetes/api.ts";
import { type GoToolName, goTool } from "../../tools/setup/go-tool.ts";
import { freePort } from "../docker/host.ts";
import { customResourceDefinitions } from "../manifests/schemas.ts";

/** What {@link ApiServer} is made of. */
export const API_SERVER_TOOLS = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"] as const;

/** Milliseconds until it has to be ready. */
const START = 60_000;

/** A real Kubernetes without nodes: etcd, API server and controllers, on this machine's loopback, in a folder of its own. */
export class ApiServer {
  readonly folder = mkdtempSync(join(tmpdir(), "rejourney-kubernetes-"));
  readonly #token = randomBytes(16).toString("hex");
  readonly #processes = new Map<string, ChildProcess>();
  readonly #commands = new Map<string, readonly string[]>();
  #port = 0;

  /** Without controllers, nothing is made from what it is told. */
  static async start({ controllers }: { controllers: boolean }): Promise<ApiServer> {
    const server = new ApiServer();
    try {
      await server.#start(controllers);
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** The path of a kubeconfig. Each address is another one of the same server; without authority it is not verified. */
  kubeconfig({ host = "127.0.0.1", verified = true } = {}): string {
    const path = join(this.folder, `${host}-${verified}.kubeconfig`);
    if (existsSync(path)) return path;
    const authority = readFileSync(join(this.folder, "certificates", "apiserver.crt"), "base64");
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

  /** Raw requests, for what is asked often. */
  api(): ClusterApi {
    const before = process.env.KUBECONFIG;
    process.env.KUBECONFIG = this.kubeconfig();
    try {
      return ClusterApi.open();
    } finally {
      if (before === undefined) delete process.env.KUBECONFIG;
      else process.env.KUBECONFIG = before;
    }
  }

  /** Standard output of `kubectl <args>`. */
  async kubectl(args: readonly string[], input = ""): Promise<string> {
    const kubectl = await goTool("kubectl", () => {});
    const { stdout } = await execa(kubectl, ["--kubeconfig", this.kubeconfig(), ...args], { input });
    return stdout;
  }

  /** What `kubectl get <args>` says, as a value. */
  async get<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(["get", "--output=json", ...args])) as T;
  }

  /** Takes the API server away, or brings it back. */
  async reachable(wanted: boolean): Promise<void> {
    await this.#stop("kube-apiserver");
    if (!wanted) return;
    this.#run("kube-apiserver");
    await this.#ready();
  }

  async remove(): Promise<void> {
    for (const name of [...this.#processes.keys()].reverse()) await this.#stop(name);
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
    await this.#begin("etcd", [
      `--data-dir=${join(this.folder, "etcd")}`,
      "--unsafe-no-fsync", // a test's data is nobody's loss
      `--listen-client-urls=http://127.0.0.1:${client}`,
      `--advertise-client-urls=http://127.0.0.1:${client}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=default=http://127.0.0.1:${peer}`,
      "--log-level=warn",
    ]);
    await this.#begin("kube-apiserver", [
      `--etcd-servers=http://127.0.0.1:${client}`,
      "--bind-address=127.0.0.1",
      "--endpoint-reconciler-type=none",
      `--secure-port=${this.#port}`,
      `--cert-dir=${join(this.folder, "certificates")}`,
      "--service-cluster-ip-range=10.43.0.0/16",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${accounts}`,
      `--service-account-signing-key-file=${accounts}`,
      `--token-auth-file=${tokens}`,
      "--authorization-mode=RBAC",
      "--allow-privileged=true", // as K3s does; Pod Security says where
    ]);
    await this.#ready();
    if (controllers)
      await this.#begin("kube-controller-manager", [
        `--kubeconfig=${this.kubeconfig()}`,
        `--service-account-private-key-file=${accounts}`,
        "--leader-elect=false",
        "--secure-port=0",
        "--horizontal-pod-autoscaler-sync-period=2s",
      ]);
    const definitions = await customResourceDefinitions(() => {});
    const paths = definitions.map((path) => `--filename=${path}`);
    await this.kubectl(["apply", "--server-side", ...paths]);
    await this.kubectl(["apply", "--server-side", "--filename=-"], JSON.stringify(HELM_CHART_CONFIG));
    await this.kubectl(["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]);
  }

  #write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  async #begin(name: GoToolName, flags: readonly string[]): Promise<void> {
    this.#commands.set(name, [await goTool(name, () => {}), ...flags]);
    this.#run(name);
  }

  #run(name: string): void {
    const [command, ...flags] = this.#commands.get(name)!;
    mkdirSync(join(this.folder, "logs"), { recursive: true });
    const output = openSync(join(this.folder, "logs", name), "a");
    this.#processes.set(name, spawn(command!, flags, { stdio: ["ignore", output, output] }));
    closeSync(output);
  }

  async #stop(name: string): Promise<void> {
    const process = this.#processes.get(name);
    this.#processes.delete(name);
    if (process === undefined || process.exitCode !== null) return;
    const gone = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGKILL");
    await gone;
  }

  /** Throws with the last lines of the one that has ended. */
  async #ready(): Promise<void> {
    for (const end = Date.now() + START; ; await sleep(200)) {
      for (const [name, { exitCode }] of this.#processes)
        if (exitCode !== null || Date.now() > end) {
          const log = readFileSync(join(this.folder, "logs", name), "utf8");
          throw new Error(
            `${name} is not ready (exit code ${exitCode}):\n${log.split("\n").slice(-8).join("\n")}`,
          );
        }
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
