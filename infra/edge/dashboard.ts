import { traefikHost } from "../app/hosts.ts";
import { type Manifest, namespaced, SYSTEM_NAMESPACE } from "../kubernetes/manifest.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { tlsSecretOf } from "./certificates.ts";

/** The Secret with the users of Traefik's own dashboard. */
export const DASHBOARD_SECRET = "traefik-dashboard-auth-secret";

const AUTH = "rejourney-dashboard-auth";

/** Traefik's own dashboard, behind a password; nothing where the settings do not ask for it. */
export function traefikDashboard(settings: KubernetesSettings): Manifest[] {
  if (settings.traefikDashboard === undefined) return [];
  const host = traefikHost(settings);
  const beside = { namespace: SYSTEM_NAMESPACE };
  const auth = { basicAuth: { secret: DASHBOARD_SECRET, removeHeader: true } };
  const spec = {
    entryPoints: ["websecure"],
    routes: [
      {
        kind: "Rule",
        match: `Host(\`${host}\`)`,
        middlewares: [{ name: AUTH }],
        services: [{ kind: "TraefikService", name: "api@internal" }],
      },
    ],
    // A Secret of the application's namespace cannot be named here: Traefik finds its certificate by the host.
    tls: settings.tls === "cert-manager" ? { secretName: tlsSecretOf(host, settings) } : {},
  };
  return [
    namespaced("traefik.io/v1alpha1", "Middleware", AUTH, { spec: auth }, beside),
    namespaced("traefik.io/v1alpha1", "IngressRoute", "rejourney-dashboard", { spec }, beside),
  ];
}
