import type { VariableName } from "./variables.ts";

/** Who is reached at a public address. */
export type HostOwner = "web" | "api" | "ingest" | "www" | "traefik";

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

/** The host name of each public address. */
export function applicationHosts({ variables }: Pick<HostSettings, "variables">) {
  const host = (url: string) => new URL(url).hostname;
  return {
    web: host(variables.PUBLIC_DASHBOARD_URL),
    api: host(variables.PUBLIC_API_URL),
    ingest: host(variables.PUBLIC_INGEST_URL),
  };
}

/** The name that leads to the dashboard, if one does: only below a bare domain does anybody type it. */
export function wwwHost(settings: HostSettings): string | undefined {
  const { web } = applicationHosts(settings);
  return (settings.www ?? web.split(".").length === 2) ? `www.${web}` : undefined;
}

/** The name of Traefik's own dashboard. */
export function traefikHost({ domain }: Pick<HostSettings, "domain">): string {
  return `traefik.${domain}`;
}

/** Every name that has to lead to the cluster, once each. */
export function publicHosts(settings: HostSettings): PublicHost[] {
  const www = wwwHost(settings);
  const all: [HostOwner, string][] = [
    ...(Object.entries(applicationHosts(settings)) as [HostOwner, string][]),
    ...(www === undefined ? [] : [["www", www] as [HostOwner, string]]),
    ...(settings.traefikDashboard === undefined
      ? []
      : [["traefik", traefikHost(settings)] as [HostOwner, string]]),
  ];
  return all
    .filter(([, host], index) => all.findIndex(([, other]) => other === host) === index)
    .map(([owner, host]) => ({ owner, host }));
}
