import { execa } from "execa";
import { containersOf } from "../../infra/docker/containers.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { Failure, log } from "../terminal/output.ts";
import type { ServiceReport } from "../terminal/service-report.ts";
import { deployedResources, type Resource } from "../engine/stack.ts";
import { commandOf, deployedProject, report } from "./services.ts";

/**
 * The services after a run of the engine, which has left these resources. It sees no container, so one that somebody has removed or stopped is no change
 * to it: where it has not `applied` the project, and something is not as deployed, this does so, and tells which.
 */
export async function settledServices(
  stack: string,
  resources: readonly Resource[],
  applied: boolean,
): Promise<{ services: ServiceReport[]; repaired: string[] }> {
  const project = deployedProject(resources)!;
  const services = report(project, await containersOf(project.name));
  const unhealthy = services.filter(({ trouble }) => trouble !== "");
  if (applied || unhealthy.length === 0) return { services, repaired: [] };
  for (const { service, trouble } of unhealthy) log(`${service}: ${trouble}; restoring it …`);
  await applyAgain(stack);
  const repaired = unhealthy.map(({ service }) => service);
  return { services: report(project, await containersOf(project.name)), repaired };
}

/** Runs what the engine has run, with the same inputs. */
async function applyAgain(stack: string): Promise<void> {
  const { inputs } = commandOf(await deployedResources(stack, "--show-secrets"))!;
  const { plaintext } = inputs!.stdin as { plaintext: string };
  const child = execa(process.execPath, ["infra/docker/apply.ts", "up"], {
    cwd: projectRoot,
    env: inputs!.environment as NodeJS.ProcessEnv,
    input: JSON.parse(plaintext) as string,
    stdio: ["pipe", "ignore", "pipe"],
    reject: false,
  });
  for await (const line of child.iterable({ from: "stderr" })) log(`  ${line}`);
  if ((await child).exitCode !== 0)
    throw new Failure("This failed; the reason is above. The same command resumes from here.");
}
