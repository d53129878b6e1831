import { type Backend, servicesOn, type Target } from "./catalogue.ts";
import { STORAGE_PORT } from "./data.ts";
import type { VariableName } from "./variables.ts";

/** A path of a public address: all that lies below it too, or exactly this one. */
export interface PublicPath {
  path: string;
  match: "prefix" | "exact";
}

interface RouteDefinition {
  /** The variable with its public address. */
  address: VariableName;
  /** The service that answers: one of the catalogue, or a data service. */
  service: string;
  targets: readonly Target[];
  /** What leads to it on a host that it shares with the dashboard, to which all other paths lead. */
  besideWeb?: readonly PublicPath[];
}

const API_PATHS: readonly PublicPath[] = [
  { path: "/api", match: "prefix" },
  { path: "/health", match: "exact" },
];

/**
 * Which public address leads to which service. A further host is one line here, and a further path one above; routes,
 * certificates, DNS records and the check of records follow.
 */
export const ROUTES = {
  web: { address: "PUBLIC_DASHBOARD_URL", service: "web", targets: ["kubernetes", "docker"] },
  api: {
    address: "PUBLIC_API_URL",
    service: "api",
    targets: ["kubernetes", "docker"],
    besideWeb: API_PATHS,
  },
  ingest: {
    address: "PUBLIC_INGEST_URL",
    service: "api",
    targets: ["kubernetes", "docker"],
    besideWeb: API_PATHS,
  },
  storage: { address: "S3_PUBLIC_ENDPOINT", service: "storage", targets: ["docker"] },
} as const satisfies Record<string, RouteDefinition>;

export type RouteName = keyof typeof ROUTES;

/** A route of a deployment. */
export interface Route {
  name: RouteName;
  host: string;
  service: string;
  port: number;
  /** What of the host leads there; absent where all does. */
  paths?: readonly PublicPath[];
}

/** What decides the routes of a deployment. */
interface RouteSettings {
  target: Target;
  variables: Readonly<Record<VariableName, string>>;
  /** Of a single node. */
  builtInStorage?: boolean;
}

/** The routes of a deployment. Of two that lead from one host to one service, there is the first alone. */
export function routesOf({ target, variables, builtInStorage }: RouteSettings): Route[] {
  const hostOf = (name: RouteName) => new URL(variables[ROUTES[name].address]).hostname;
  const all = (Object.entries(ROUTES) as [RouteName, RouteDefinition][])
    .filter(([, { targets }]) => targets.includes(target))
    .filter(([name]) => name !== "storage" || builtInStorage === true)
    .map(([name, { service, besideWeb }]): Route => {
      const host = hostOf(name);
      const paths = host === hostOf("web") ? besideWeb : undefined;
      return { name, host, service, port: portOf(service, target), ...(paths && { paths }) };
    });
  const same = (a: Route, b: Route) => a.host === b.host && a.service === b.service;
  return all.filter((route, index) => all.findIndex((other) => same(route, other)) === index);
}

function portOf(service: string, target: Target): number {
  if (service === ("storage" satisfies Backend)) return STORAGE_PORT;
  return servicesOn(target).find(({ name }) => name === service)!.port!;
}

/** Who is reached at a public name of a cluster. */
export type HostOwner = RouteName | "www" | "traefik";

export interface PublicHost {
  /** The first that is reached at it. */
  owner: HostOwner;
  host: string;
}

/** What decides the names of a cluster. */
export interface HostSettings {
  domain: string;
  variables: Readonly<Record<VariableName, string>>;
  www?: boolean | undefined;
  traefikDashboard?: object | undefined;
}

/** The name that leads to the dashboard, if one does: only below a bare domain does anybody type it. */
export function wwwHost({ variables, www }: HostSettings): string | undefined {
  const web = new URL(variables[ROUTES.web.address]).hostname;
  return (www ?? web.split(".").length === 2) ? `www.${web}` : undefined;
}

/** The name of Traefik's own dashboard. */
export function traefikHost({ domain }: Pick<HostSettings, "domain">): string {
  return `traefik.${domain}`;
}

/** Every name that has to lead to the cluster, once each. */
export function publicHosts(settings: HostSettings): PublicHost[] {
  const { variables, traefikDashboard } = settings;
  const www = wwwHost(settings);
  const all: PublicHost[] = [
    ...routesOf({ target: "kubernetes", variables }).map(({ name, host }) => ({ owner: name, host })),
    ...(www === undefined ? [] : [{ owner: "www" as const, host: www }]),
    ...(traefikDashboard === undefined ? [] : [{ owner: "traefik" as const, host: traefikHost(settings) }]),
  ];
  return all.filter(({ host }, index) => all.findIndex((other) => other.host === host) === index);
}
