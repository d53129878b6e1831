import { securityHeaders } from "../app/headers.ts";
import { type PublicPath, type Route, routesOf } from "../app/routes.ts";
import type { DockerSettings } from "../settings/load.ts";

/** Traefik's dynamic configuration: which host and path goes to which service. */
export function routes(settings: DockerSettings) {
  const { domain } = settings;
  const all = routesOf(settings);
  const entryPoints = [domain === undefined ? "http" : "https"];
  const router = ({ name, host, service, paths }: Route) => ({
    rule: paths === undefined ? hostRule(host) : `${hostRule(host)} && (${paths.map(pathRule).join(" || ")})`,
    service,
    entryPoints,
    // An S3 signs its headers, and a client of one repeats a request by itself.
    middlewares: name === "storage" ? [] : ["headers", "retry"],
  });
  const server = ({ service, port }: Route) => ({
    loadBalancer: { servers: [{ url: `http://${service}:${port}` }] },
  });
  return {
    http: {
      routers: Object.fromEntries(all.map((route) => [route.name, router(route)])),
      middlewares: {
        headers: { headers: securityHeaders(domain !== undefined) },
        // For a container that is being replaced. Only a request that has reached none is sent again.
        retry: { retry: { attempts: 5, initialInterval: "200ms" } },
      },
      services: Object.fromEntries(all.map((route) => [route.service, server(route)])),
    },
  };
}

const hostRule = (host: string) => `Host(\`${host}\`)`;

function pathRule({ path, match }: PublicPath): string {
  return `${match === "prefix" ? "PathPrefix" : "Path"}(\`${path}\`)`;
}
