import { ClusterApi } from "../../infra/cluster/api.ts";
import { ApiError, ClusterError, KubeconfigError } from "../../infra/cluster/errors.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import type { KubernetesSettings } from "../../infra/settings/load.ts";
import { Failure } from "../terminal/output.ts";

/** The result of what is asked of a cluster. Throws Failure when the user of the kubeconfig may not ask it. */
export async function allowed<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 403) throw error;
    throw new Failure(
      `${error.message}; nothing was changed.\n` +
        "  Fix: use a kubeconfig whose user may read and write all objects of the stack (on K3s: /etc/rancher/k3s/k3s.yaml)",
    );
  }
}

/** The cluster of a stack. Throws Failure when the kubeconfig cannot be used, or the API server does not answer. */
export async function reachedCluster({
  context,
  stack,
}: Pick<KubernetesSettings, "context" | "stack">): Promise<ClusterApi> {
  try {
    const api = ClusterApi.open(context);
    await api.request("GET", "/version");
    // An answer that needs rights: credentials that have run out are told here, before any change.
    await api.get(`/api/v1/namespaces/${NAMESPACE}`);
    return api;
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const fault =
      error instanceof KubeconfigError
        ? "cannot be found"
        : error instanceof ApiError
          ? "rejects these credentials"
          : "cannot be reached";
    const what = `The cluster of the stack ${stack} ${fault}: ${error.message}`;
    throw new Failure(
      `${what}; nothing was changed.\n` +
        `  Fix: set KUBECONFIG to a kubeconfig; if it has several contexts, set rejourney:context in Pulumi.${stack}.yaml; then check: kubectl get nodes`,
    );
  }
}
