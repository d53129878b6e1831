import { execa } from "execa";
import { ClusterApi } from "../infra/cluster/api.ts";
import { goTool } from "../tools/setup/go-tool.ts";

/** A cluster, for whoever has its kubeconfig. */
export abstract class KubernetesClient {
  /** The path of a kubeconfig. */
  abstract kubeconfig(): string;

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

  /** Makes objects, or brings them to what they say. */
  async apply(objects: readonly object[]): Promise<void> {
    await this.kubectl(
      ["apply", "--server-side", "--filename=-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    );
  }
}
