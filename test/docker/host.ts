import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { madeImages } from "../../tools/images/images.ts";
import { needProgram } from "../../tools/setup/apt.ts";
import { ensureDocker } from "../../tools/setup/docker.ts";
import type { Log } from "../../tools/setup/log.ts";
import type { TestProject } from "../project.ts";

const PREFIX = "rejourney-test-";

/** A name for a test's containers, networks and volumes, by which `removeAll` finds them. */
export function testName(): string {
  return PREFIX + randomBytes(4).toString("hex");
}

/** Standard output of `docker <args>`. Values of `env` reach containers by `-e NAME`, never by a command line. */
export async function docker(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = "",
): Promise<string> {
  return (await execa("docker", args, { env, input })).stdout;
}

/** The names that a `docker` listing prints. */
export async function listed(args: readonly string[]): Promise<string[]> {
  return (await docker(args)).split("\n").filter((line) => line !== "");
}

/** Removes every container, volume and network of a name. */
export async function removeAll(name = PREFIX): Promise<void> {
  const filter = `--filter=name=${name}`;
  const containers = await listed(["ps", "--all", "--quiet", filter]);
  if (containers.length > 0) await docker(["rm", "--force", "--volumes", ...containers]);
  const volumes = await listed(["volume", "ls", "--quiet", filter]);
  if (volumes.length > 0) await docker(["volume", "rm", ...volumes]);
  for (const network of await listed(["network", "ls", "--quiet", filter])) await removeNetwork(network);
}

/** True where `docker compose down` has removed all but a network that Docker Engine does not let go. */
export function isDown({ exitCode, stderr }: { exitCode?: number; stderr: string }): boolean {
  return exitCode === 0 || stderr.includes("has active endpoints");
}

/**
 * Docker Engine 20.10 now and then still counts a container that is gone (moby issue 42119); such a network can be
 * removed only once the engine has been started again, which the next run does.
 */
async function removeNetwork(id: string): Promise<void> {
  const { failed, stderr } = await execa("docker", ["network", "rm", id], { reject: false });
  if (!failed) return;
  const attached = await listed(["ps", "--all", `--filter=network=${id}`, "--format={{.Names}}"]);
  if (attached.length > 0 || !stderr.includes("has active endpoints"))
    throw new Error(`Left: a network, with ${attached.join(", ") || "no container"}: ${stderr}`);
}

/**
 * A Docker Engine with the images, and nothing that an earlier run left behind. The result takes back what this run
 * made, and stops the engine where it has started it.
 */
export async function prepareDocker(log: Log): Promise<() => Promise<void>> {
  const engine = await ensureDocker({ log, confirm: () => Promise.resolve(true) });
  const takeBack = async () => {
    await removeAll();
    await stopDocker(engine);
  };
  try {
    await removeAll();
    await needProgram("sshd", "openssh-server", log);
    await madeImages(log);
  } catch (error) {
    await takeBack();
    throw error;
  }
  return takeBack;
}

/** Stops an engine that `ensureDocker` has started. */
export async function stopDocker(engine: number | undefined): Promise<void> {
  if (engine === undefined) return;
  process.kill(engine, "SIGTERM");
  while (existsSync(`/proc/${engine}`)) await sleep(100);
}

/** Sets the stack of a project to the sample, by a name and a port of the test's own; `lines` are more settings. */
export function writeSettings(
  project: TestProject,
  name: string,
  port: number,
  lines: readonly string[] = [],
): void {
  const own = ["target: docker", "release: sample", `projectName: ${name}`, `httpPort: ${port}`, ...lines];
  const text = own.map((line) => `  rejourney:${line}\n`).join("");
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), `config:\n${text}`);
}

/** A port of this machine that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** What `docker inspect` says of a container, as far as a test reads it. */
export interface Inspected {
  Id: string;
  Name: string;
  State: { Status: string; ExitCode: number; StartedAt: string; Health?: { Status: string } };
  Config: { User: string; Image: string; Env: string[]; Labels: Record<string, string> };
  HostConfig: Record<string, unknown> & { LogConfig: { Config: Record<string, string> } };
  NetworkSettings: { Ports: Record<string, { HostIp: string; HostPort: string }[] | null> };
}

/** The containers of a name by their service. */
export async function containers(name: string): Promise<Record<string, Inspected>> {
  const ids = await listed(["ps", "--all", "--quiet", `--filter=name=${name}`]);
  if (ids.length === 0) return {};
  const inspected = JSON.parse(await docker(["inspect", ...ids])) as Inspected[];
  const entries = inspected.map((container) => [
    container.Config.Labels["com.docker.compose.service"],
    container,
  ]);
  return Object.fromEntries(entries.sort()) as Record<string, Inspected>;
}

/** Asks until the answer comes; throws the last reason after so many seconds. */
export async function eventually<T>(seconds: number, ask: () => Promise<T>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(200);
    }
  }
}
