import type { Deployment } from "../engine/run-plan.ts";
import type { UpOptions } from "../terminal/options.ts";
import { checkedSettings } from "../terminal/settings.ts";

/** A stack whose deployment is going to change. Throws SettingsError and Failure with everything that stands against it. */
export async function prepare(options: UpOptions): Promise<Deployment> {
  const settings = checkedSettings(options.stack);
  return settings.target === "docker"
    ? (await import("../single-node/up.ts")).prepareSingleNode(settings, options)
    : (await import("../cluster/up.ts")).prepareCluster(settings, options);
}
