import { securityHeaders } from "../app/headers.ts";
import type { DockerSettings } from "../settings/load.ts";

/** Traefik's dynamic configuration: which host and path goes to which service. */
export function routes({ variables, domain, builtInStorage }: DockerSettings) {
  const entryPoints = [domain === undefined ? "http" : "https"];
  const router = (rule: string, service: string, middlewares = ["headers", "retry"]) => ({
    rule,
    service,
    entryPoints,
    middlewares,
  });
  const hostOf = (url: string) => new URL(url).hostname;
  const host = (url: string) => `Host(\`${hostOf(url)}\`)`;
  const dashboard = hostOf(variables.PUBLIC_DASHBOARD_URL);
  // Where one host serves both, the paths of the API go to it and all others to the dashboard.
  const apiRule = (url: string) =>
    hostOf(url) === dashboard ? `${host(url)} && (PathPrefix(\`/api\`) || Path(\`/health\`))` : host(url);
  const service = (url: string) => ({ loadBalancer: { servers: [{ url }] } });
  const { PUBLIC_DASHBOARD_URL, PUBLIC_API_URL, PUBLIC_INGEST_URL, S3_PUBLIC_ENDPOINT } = variables;
  return {
    http: {
      routers: {
        web: router(host(PUBLIC_DASHBOARD_URL), "web"),
        api: router(apiRule(PUBLIC_API_URL), "api"),
        ...(hostOf(PUBLIC_INGEST_URL) !== hostOf(PUBLIC_API_URL) && {
          ingest: router(apiRule(PUBLIC_INGEST_URL), "api"),
        }),
        ...(builtInStorage && { storage: router(host(S3_PUBLIC_ENDPOINT), "storage", []) }),
      },
      middlewares: {
        headers: { headers: securityHeaders(domain !== undefined) },
        // For a container that is being replaced. Only a request that has reached none is sent again.
        retry: { retry: { attempts: 5, initialInterval: "200ms" } },
      },
      services: {
        web: service("http://web:8080"),
        api: service("http://api:3000"),
        ...(builtInStorage && { storage: service("http://storage:7070") }),
      },
    },
  };
}
