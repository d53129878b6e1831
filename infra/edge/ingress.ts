import {
  type PublicPath,
  publicHosts,
  type Route,
  type RouteName,
  routesOf,
  wwwHost,
} from "../app/routes.ts";
import { type Manifest, NAMESPACE, namespaced } from "../manifest.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { tlsSecretOf } from "./certificates.ts";
import { securityHeaders } from "../app/headers.ts";
import { rateLimit } from "./rate-limit.ts";

interface Limits {
  /** Requests a second; twice as many at once. */
  rate: number;
  /** Largest body, in MiB. */
  body?: number;
}

/**
 * What one client may send. An office behind one address is many people; ingest takes recordings, which are large. The
 * dashboard has no limit of bodies: with one, Traefik passes an answer on only when it is whole, and pages are streamed.
 */
const LIMITS = {
  web: { rate: 200 },
  api: { rate: 200, body: 16 },
  ingest: { rate: 1000, body: 128 },
} as const satisfies Partial<Record<RouteName, Limits>>;

/** The routes of a cluster, each of which has its limits. */
type LimitedRoute = keyof typeof LIMITS;

const EVERYTHING: readonly PublicPath[] = [{ path: "/", match: "prefix" }];

/** What Traefik does for each host name: TLS, redirects, headers, limits. */
export function ingress(settings: KubernetesSettings): Manifest[] {
  const routes = routesOf(settings);
  const www = wwwHost(settings);
  const web = routes.find(({ name }) => name === "web")!;
  return [
    middleware("redirect-https", { redirectScheme: { scheme: "https", permanent: true } }),
    middleware("security-headers", { headers: securityHeaders(true) }),
    ...routes.flatMap((route) => {
      const limits = limiters(route.name as LimitedRoute, routes, settings);
      const names = limits.map(({ metadata }) => metadata.name);
      return [
        ...limits,
        rules(route.name, "websecure", [route.host], route, settings, ["security-headers", ...names]),
      ];
    }),
    ...(www === undefined
      ? []
      : [
          middleware("redirect-www", {
            redirectRegex: { regex: "^https?://www\\.(.+)", replacement: "https://${1}", permanent: true },
          }),
          rules("www", "websecure", [www], web, settings, ["redirect-www"]),
        ]),
    // Every host alike; what it is redirected away from never gets to see a request.
    rules(
      "http",
      "web",
      publicHosts(settings).map(({ host }) => host),
      web,
      settings,
      ["redirect-https"],
    ),
  ];
}

function limiters(name: LimitedRoute, routes: readonly Route[], settings: KubernetesSettings): Manifest[] {
  const { rate, body } = limitsOf(name, routes, settings);
  return [
    middleware(`${name}-rate-limit`, rateLimit(rate, settings)),
    ...(body === undefined
      ? []
      : [middleware(`${name}-body-limit`, { buffering: { maxRequestBodyBytes: body * 2 ** 20 } })]),
  ];
}

/** Where API and ingest share a host, nothing tells them apart: there the wider limits hold. */
function limitsOf(name: LimitedRoute, routes: readonly Route[], settings: KubernetesSettings): Limits {
  const own = (of: LimitedRoute): Limits => ({ ...LIMITS[of], ...settings.limits[of] });
  if (name !== "api" || routes.some((route) => route.name === "ingest")) return own(name);
  const [first, second] = [own("api"), own("ingest")];
  return {
    rate: Math.max(first.rate, second.rate),
    body: Math.max(first.body!, second.body!),
  };
}

function middleware(name: string, spec: Record<string, unknown>): Manifest {
  return namespaced("traefik.io/v1alpha1", "Middleware", name, { spec });
}

function rules(
  name: string,
  entryPoint: "web" | "websecure",
  hosts: readonly string[],
  { service, port, paths = EVERYTHING }: Route,
  settings: KubernetesSettings,
  middlewares: readonly string[],
): Manifest {
  const secure = entryPoint === "websecure";
  const backend = { service: { name: service, port: { number: port } } };
  const spec = {
    ingressClassName: "traefik",
    ...(secure && {
      tls: hosts.map((host) => ({ hosts: [host], secretName: tlsSecretOf(host, settings) })),
    }),
    rules: hosts.map((host) => ({
      host,
      http: {
        paths: paths.map(({ path, match }) => ({
          path,
          pathType: match === "exact" ? "Exact" : "Prefix",
          backend,
        })),
      },
    })),
  };
  const annotations = {
    "traefik.ingress.kubernetes.io/router.entrypoints": entryPoint,
    ...(secure && { "traefik.ingress.kubernetes.io/router.tls": "true" }),
    "traefik.ingress.kubernetes.io/router.middlewares": middlewares
      .map((middlewareName) => `${NAMESPACE}-${middlewareName}@kubernetescrd`)
      .join(","),
  };
  return namespaced("networking.k8s.io/v1", "Ingress", name, { spec }, { annotations });
}
