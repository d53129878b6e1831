import type { Resources } from "../app/catalogue.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Manifest, namespaced } from "../manifest.ts";

/** The Secret by which images of a private registry are pulled. */
export const PULL_SECRET = "ghcr-secret";

/** An account that nothing is granted to, and whose token no pod gets. */
export function serviceAccount(name: string): Manifest {
  return namespaced("v1", "ServiceAccount", name, { automountServiceAccountToken: false });
}

/** What every pod has; it runs as `user`, a uid and gid. */
export function podDefaults(account: string, user: number, settings: KubernetesSettings) {
  return {
    serviceAccountName: account,
    automountServiceAccountToken: false,
    // The variables that Kubernetes would add for each Service could overlay the application's own.
    enableServiceLinks: false,
    ...(settings.registry && { imagePullSecrets: [{ name: PULL_SECRET }] }),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      // A volume with many files would otherwise be walked at each start.
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/** What every container has: with the pod's own settings, all that Pod Security `restricted` asks, and more. */
export const CONFINED = {
  // A tag or digest is exact, and no restart may depend on a registry that is away.
  imagePullPolicy: "IfNotPresent",
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  },
};

/** Requests and limits of a container in the terms of the Kubernetes API; `diskMiB` is for logs and scratch space. */
export function resources(requests: Resources, limits: Resources, diskMiB = 128) {
  const disk = { "ephemeral-storage": `${diskMiB}Mi` };
  return {
    requests: { cpu: millicores(requests.cpus), memory: `${requests.memoryMiB}Mi`, ...disk },
    limits: { cpu: millicores(limits.cpus), memory: `${limits.memoryMiB}Mi`, ...disk },
  };
}

/** Cores as Kubernetes writes them. */
export function millicores(cpus: number): string {
  return `${Math.round(cpus * 1000)}m`;
}

/** A directory that a read-only root file system leaves writable; its size in MiB. */
export function scratch(name: string, mountPath: string, size: number) {
  return {
    volume: { name, emptyDir: { sizeLimit: `${size}Mi` } },
    mount: { name, mountPath },
  };
}
