import { spawn } from "node:child_process";
import { containersOf } from "../../infra/docker/containers.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { command } from "../../infra/settings/command.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { Failure } from "../terminal/output.ts";
import { type Channel, Psql, psqlCommand } from "./psql.ts";

/**
 * Works with the application's database, by the `psql` beside its server. `api` is that of a cluster. Throws Failure
 * when there is no way to it.
 */
export async function withDatabase<T>(
  settings: Settings,
  api: ClusterApi | undefined,
  work: (psql: Psql) => Promise<T>,
): Promise<T> {
  const psql = new Psql(await channel(settings, api));
  try {
    return await work(psql);
  } finally {
    psql.close();
  }
}

async function channel(settings: Settings, api: ClusterApi | undefined): Promise<Channel> {
  const psql = psqlCommand(settings.variables);
  if (api !== undefined) {
    if (!isGeneratedHere("POSTGRES_PASSWORD", settings))
      throw new Failure(
        "PostgreSQL is external (rejourney:external), and this program has no access to it; nothing was changed.",
      );
    return api.exec(NAMESPACE, "postgres-0", "postgres", psql);
  }
  const { projectName, stack } = settings as Extract<Settings, { target: "docker" }>;
  const all = await containersOf(projectName);
  const server = all.find(({ service, state }) => service === "postgres" && state === "running");
  if (server === undefined)
    throw new Failure(`PostgreSQL is not running; nothing was changed.\n  Fix: ${command(stack, "up")}`);
  return spawn("docker", ["exec", "--interactive", server.id, ...psql], { stdio: "pipe" });
}
