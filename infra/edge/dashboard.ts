import { createHmac } from "node:crypto";
import bcrypt from "bcryptjs";
import { traefikHost } from "../app/routes.ts";
import { type Manifest, namespaced, SYSTEM_NAMESPACE } from "../manifest.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { tlsSecretOf } from "./certificates.ts";
import { rateLimit } from "./rate-limit.ts";

/** The Secret with the users of Traefik's own dashboard. */
export const DASHBOARD_SECRET = "traefik-dashboard-auth-secret";

const AUTH = "rejourney-dashboard-auth";
const RATE_LIMIT = "rejourney-dashboard-rate-limit";
/** Requests a second of one client. Each one that brings a password costs bcrypt, and Traefik serves everybody else too. */
const RATE = 20;

/** A user as htpasswd writes one, by bcrypt. The salt follows from `key` and the password: the same ones give the same. */
export function htpasswd(user: string, password: string, key: string): string {
  const salt = createHmac("sha256", key).update(`dashboard ${user} ${password}`).digest().subarray(0, 16);
  return `${user}:${bcrypt.hashSync(password, `$2b$10$${bcrypt.encodeBase64(salt, 16)}`)}\n`;
}

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
        middlewares: [{ name: RATE_LIMIT }, { name: AUTH }],
        services: [{ kind: "TraefikService", name: "api@internal" }],
      },
    ],
    // A Secret of the application's namespace cannot be named here: Traefik finds its certificate by the host.
    tls: settings.tls === "cert-manager" ? { secretName: tlsSecretOf(host, settings) } : {},
  };
  return [
    namespaced("traefik.io/v1alpha1", "Middleware", RATE_LIMIT, { spec: rateLimit(RATE, settings) }, beside),
    namespaced("traefik.io/v1alpha1", "Middleware", AUTH, { spec: auth }, beside),
    namespaced("traefik.io/v1alpha1", "IngressRoute", "rejourney-dashboard", { spec }, beside),
  ];
}
