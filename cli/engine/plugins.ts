import { keepsRecords } from "../../infra/edge/dns-plan.ts";
import type { Settings } from "../../infra/settings/load.ts";
import type { StandIn } from "../../tools/setup/engine.ts";
import { PLUGINS, type Plugin, pluginVersion } from "../../tools/setup/plugins.ts";
import { STAND_IN } from "../../tools/standins/mark.ts";
import { Failure, log } from "../terminal/output.ts";

/** As much of a resource in a state as tells its provider. */
interface Managed {
  type: string;
  inputs?: Record<string, unknown>;
}

/** The plugins that the settings of a stack need. */
export function pluginsFor(settings: Settings): Plugin[] {
  if (settings.target === "docker") return ["random", "command"];
  return ["random", "kubernetes", ...(keepsRecords(settings) ? (["cloudflare"] as const) : [])];
}

/** The plugins that manage what a state has. */
export function pluginsOf(resources: readonly Managed[]): Plugin[] {
  return PLUGINS.filter((name) => providersOf(name, resources).length > 0);
}

function providersOf(name: string, resources: readonly Managed[]): Managed[] {
  return resources.filter(({ type }) => type === `pulumi:providers:${name}`);
}

/** Whether the providers of a state have another version than their npm packages, or another context than the settings. */
export function areOutdated(resources: readonly Managed[], settings: Settings | undefined): boolean {
  const context = settings?.target === "kubernetes" ? settings.context : undefined;
  return PLUGINS.some((name) =>
    providersOf(name, resources).some(
      ({ inputs }) =>
        inputs?.version !== pluginVersion(name) ||
        (name === "kubernetes" && settings !== undefined && inputs.context !== context),
    ),
  );
}

/** Names that are nobody's on the internet: reserved by RFC 2606, 6761, 6762 and 8375, or common in own networks. */
const PRIVATE =
  /^(localhost|[^.]+|[\d.]+|\[.*\])$|\.(test|example|invalid|localhost|local|internal|lan|home|corp|home\.arpa)$|(^|\.)example\.(com|net|org)$/;

/** The first public host name under which the settings offer the site. */
function publicHost({ domain, variables }: Settings): string | undefined {
  const { PUBLIC_DASHBOARD_URL, PUBLIC_API_URL, PUBLIC_INGEST_URL } = variables;
  const hosts = [PUBLIC_DASHBOARD_URL, PUBLIC_API_URL, PUBLIC_INGEST_URL].map((url) => new URL(url).hostname);
  return [...(domain === undefined ? [] : [domain]), ...hosts].find((host) => !PRIVATE.test(host));
}

/**
 * Says which stand-ins serve. They are for trying and testing: throws Failure where the state was written by an official
 * plugin, or where the settings have a public domain.
 */
export function needOfficial(
  standIns: readonly StandIn[],
  resources: readonly Managed[],
  settings: Settings | undefined,
): void {
  const isByStandIn = (name: string) =>
    providersOf(name, resources).some(({ inputs }) => inputs?.[STAND_IN] === true);
  const left = PLUGINS.filter((name) => isByStandIn(name) && !(standIns as readonly string[]).includes(name));
  if (left.length > 0)
    log(
      `This state was written with stand-ins; from now on Pulumi's own plugins manage it: ${left.join(", ")}.`,
    );
  if (standIns.length === 0) return;
  const names = standIns.map((name) => (name === "nodejs" ? "the language host" : name)).join(", ");
  const fix =
    "  Fix: let this machine reach api.github.com or get.pulumi.com, unset REJOURNEY_STAND_INS, then retry";
  const official = standIns.filter((name) => providersOf(name, resources).length > 0 && !isByStandIn(name));
  if (official.length > 0)
    throw new Failure(
      `This state was written with Pulumi's own plugins, but only stand-ins are available here for: ${official.join(", ")}; nothing was changed.\n${fix}`,
    );
  const host = settings === undefined ? undefined : publicHost(settings);
  if (host !== undefined)
    throw new Failure(
      `Pulumi's own plugins are not available here (${names}), and stand-ins must not deploy ${host}; nothing was changed.\n${fix}`,
    );
  log(
    `Pulumi's own plugins are not available here (${names}); this run uses stand-ins, for trying and testing only.`,
  );
}
