import { lookup } from "node:dns/promises";
import { existsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { createServer } from "node:net";
import { arch, availableParallelism, platform, totalmem } from "node:os";
import { execa } from "execa";
import { routesOf } from "../../infra/app/routes.ts";
import { containersOf } from "../../infra/docker/containers.ts";
import { needOwnProject } from "../../infra/docker/own.ts";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import type { DockerSettings } from "../../infra/settings/load.ts";
import type { Problem } from "../../infra/settings/problem.ts";
import { dockerHost } from "../../tools/setup/docker.ts";
import { Failure, log } from "../terminal/output.ts";

const GIB = 2 ** 30;
/** PostgreSQL and Node.js do not get by with less. */
const LEAST_MEMORY_GIB = 1.8;
const LEAST_CORES = 2;
/** Images and a new database take most of it; later, a full disk would stop the database in the middle of a write. */
const LEAST_DISK_GIB = { first: 5, later: 1 };
/** Seconds; a certificate is not valid yet for a clock that is behind, nor still valid for one that is fast. */
const CLOCK_TOLERANCE = 60;
const CERTIFICATE_AUTHORITY = "https://acme-v02.api.letsencrypt.org/directory";

/** What a Docker host has. */
export interface Host {
  /** As Docker and Node.js name them: `linux`, `x86_64`, … */
  os: string;
  architecture: string;
  cores: number;
  memoryBytes: number;
  /** Free where Docker keeps its data; undefined where it cannot be seen from here. */
  freeBytes?: number;
  /** Seconds by which its clock is fast; undefined where there is nothing to compare it with. */
  clockAhead?: number;
  /** True when nothing of the project runs there yet. */
  isNew: boolean;
}

/** Throws Failure with everything that the host lacks. Before any change; on a machine that may have no Docker yet. */
export async function preflight(settings: DockerSettings, project: ComposeProject): Promise<void> {
  const elsewhere = await dockerHost();
  const isHere = elsewhere === undefined || elsewhere.startsWith("unix://");
  const [host, dns, ports] = await Promise.all([
    hostOf(settings, isHere),
    dnsProblems(settings),
    isHere ? portProblems(settings) : [],
  ]);
  const problems = [...hostProblems(host), ...dns, ...ports];
  for (const warning of hostWarnings(host, memoryLimits(project))) log(`Warning: ${warning}`);
  if (problems.length === 0) return;
  const lines = problems.map(({ key, what, fix }) => `  ${key} ${what}.\n    Fix: ${fix}`);
  throw new Failure(`The Docker host is not ready; nothing was changed.\n${lines.join("\n")}`);
}

async function hostOf(settings: DockerSettings, isHere: boolean): Promise<Host> {
  const asked = await execa("docker", ["info", "--format={{json .}}"], { reject: false, timeout: 15_000 });
  const info = asked.exitCode === 0 ? (JSON.parse(asked.stdout) as DockerInfo) : {};
  const root = [info.DockerRootDir, "/var/lib", "/"].find((path) => path !== undefined && existsSync(path))!;
  const disk = isHere ? await statfs(root) : undefined;
  // Before its ports are called taken.
  if (asked.exitCode === 0) await needOwnProject(settings.projectName);
  const running = asked.exitCode === 0 ? await containersOf(settings.projectName) : [];
  const now = info.SystemTime === undefined ? Date.now() : Date.parse(info.SystemTime);
  const clockAhead = settings.domain === undefined ? undefined : await aheadOfAuthority(now);
  return {
    os: info.OSType ?? platform(),
    architecture: info.Architecture ?? arch(),
    cores: info.NCPU ?? availableParallelism(),
    memoryBytes: info.MemTotal ?? totalmem(),
    ...(disk && { freeBytes: disk.bavail * disk.bsize }),
    ...(clockAhead !== undefined && { clockAhead }),
    isNew: running.length === 0,
  };
}

/** `docker info`, as far as it is read here. */
interface DockerInfo {
  OSType?: string;
  Architecture?: string;
  NCPU?: number;
  MemTotal?: number;
  DockerRootDir?: string;
  SystemTime?: string;
}

/** What a host lacks. */
export function hostProblems({
  os,
  architecture,
  memoryBytes,
  freeBytes,
  clockAhead,
  isNew,
}: Host): Problem[] {
  const problems: Problem[] = [];
  const add = (key: string, what: string, fix: string) => problems.push({ key, what, fix });
  if (!["linux", "darwin"].includes(os)) add("system", `is ${os}; the containers need Linux`, "use Linux");
  if (!["x64", "x86_64", "amd64", "arm64", "aarch64"].includes(architecture))
    add("processor", `is ${architecture}; the images support x86-64 and arm64`, "use another machine");
  if (memoryBytes < LEAST_MEMORY_GIB * GIB)
    add("memory", `is ${inGib(memoryBytes)}; at least 2 GiB is required`, "use a larger machine");
  const least = isNew ? LEAST_DISK_GIB.first : LEAST_DISK_GIB.later;
  if (freeBytes !== undefined && freeBytes < least * GIB)
    add(
      "disk",
      `has ${inGib(freeBytes)} free where Docker keeps its data; at least ${least} GiB is required`,
      "remove unused images with docker image prune, or use a larger disk",
    );
  if (clockAhead !== undefined && Math.abs(clockAhead) > CLOCK_TOLERANCE)
    add(
      "clock",
      `is ${Math.abs(clockAhead)} s ${clockAhead > 0 ? "fast" : "slow"}, so certificates would be invalid`,
      "timedatectl set-ntp true",
    );
  return problems;
}

/** What a host has little of. `limits` is what its services may take together, in bytes. */
export function hostWarnings({ cores, memoryBytes }: Host, limits: number): string[] {
  return [
    ...(cores < LEAST_CORES ? [`the Docker host has 1 processor core; ${LEAST_CORES} are recommended.`] : []),
    ...(memoryBytes < limits
      ? [
          `the Docker host has ${inGib(memoryBytes)} of memory; the limits of the services add up to ${inGib(limits)}.`,
        ]
      : []),
  ];
}

function inGib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}

function memoryLimits({ services }: ComposeProject): number {
  const lasting = Object.values(services).filter(({ restart }) => restart !== "no");
  return lasting.reduce(
    (sum, { mem_limit, scale = 1 }) => sum + Number.parseInt(mem_limit) * 2 ** 20 * scale,
    0,
  );
}

/** Seconds by which a time is ahead of the certificate authority's; undefined where that does not answer. */
async function aheadOfAuthority(now: number): Promise<number | undefined> {
  const answer = await fetch(CERTIFICATE_AUTHORITY, {
    method: "HEAD",
    signal: AbortSignal.timeout(5000),
  }).catch(() => undefined);
  const date = answer?.headers.get("date");
  return date ? Math.round((now - Date.parse(date)) / 1000) : undefined;
}

/** Without a record, the certificate authority would refuse, and after five refusals an hour not even listen. */
async function dnsProblems(settings: DockerSettings): Promise<Problem[]> {
  const { domain, stack } = settings;
  if (domain === undefined) return [];
  const hosts = new Set(routesOf(settings).map(({ host }) => host));
  const found = await Promise.all(
    [...hosts].map((host) =>
      lookup(host).then(
        () => [],
        () => [host],
      ),
    ),
  );
  return found.flat().map((host) => ({
    key: host,
    what: "has no DNS record, so no certificate can be issued for it",
    fix: `add an A record with the address of the Docker host, or correct rejourney:domain in Pulumi.${stack}.yaml`,
  }));
}

async function portProblems(settings: DockerSettings): Promise<Problem[]> {
  const { domain, httpPort, httpsPort, projectName, stack } = settings;
  const own = await publishedPorts(projectName);
  const ports = [
    ["httpPort", httpPort] as const,
    ...(domain === undefined ? [] : [["httpsPort", httpsPort] as const]),
  ];
  const address = domain === undefined ? "127.0.0.1" : "0.0.0.0";
  const taken = await Promise.all(
    ports.map(async ([key, port]) =>
      !own.includes(port) && (await isTaken(port, address)) ? [[key, port] as const] : [],
    ),
  );
  return taken.flat().map(([key, port]) => ({
    key: `port ${port}`,
    what: "is in use by another program",
    fix: `stop that program (ss -ltnp 'sport = :${port}' shows it), or set rejourney:${key} in Pulumi.${stack}.yaml`,
  }));
}

/** The ports of the host that the project's containers have. */
async function publishedPorts(project: string): Promise<number[]> {
  const args = ["ps", `--filter=label=com.docker.compose.project=${project}`, "--format={{.Ports}}"];
  const { stdout = "" } = await execa("docker", args, { reject: false });
  return [...stdout.matchAll(/:(\d+)->/g)].map(([, port]) => Number(port));
}

function isTaken(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    // A port that only root may take is tried by Docker, which is root.
    server.once("error", ({ code }: NodeJS.ErrnoException) => resolve(code === "EADDRINUSE"));
    server.listen(port, address, () => server.close(() => resolve(false)));
  });
}
