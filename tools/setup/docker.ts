import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { coerce, gte } from "semver";
import { SetupError } from "./error.ts";
import { isOnPath } from "./apt.ts";
import { installDocker } from "./docker-packages.ts";
import { goTool } from "./go-tool.ts";
import type { Log } from "./log.ts";

/** The oldest Compose, as major and minor, that is taken as it is; the tests run on 2.40. */
const OLDEST_COMPOSE = "2.30.0";
const DAEMON_LOG = "/var/log/dockerd.log";
const PID_FILES = { dockerd: "/var/run/docker.pid", containerd: "/var/run/docker/containerd/containerd.pid" };

export interface DockerOptions {
  log: Log;
  /** Asked before something is installed. */
  confirm: (question: string) => Promise<boolean>;
}

/**
 * A Docker Engine that answers `docker`, and Compose. On this machine what is missing is installed and started; an
 * engine elsewhere (DOCKER_HOST, a context) is only asked. Throws with the reason and what fixes it. The result is the
 * process id of the engine, where this has started it without a service manager.
 */
export async function ensureDocker({ log, confirm }: DockerOptions): Promise<number | undefined> {
  let started: number | undefined;
  const problem = await silence();
  if (problem !== undefined) {
    const host = await dockerHost();
    if (host !== undefined) throw noAnswerFrom(host, problem);
    if (/permission denied/.test(problem))
      throw new SetupError(
        "This user has no access to Docker Engine. Fix: sudo usermod -aG docker $USER, log in again, then retry",
      );
    if (!(await isOnPath("dockerd")) || !(await isOnPath("docker"))) await installDocker(log, confirm);
    started = await start(log);
  }
  await ensureCompose(log, confirm);
  return started;
}

/** Throws with what fixes it when no Docker Engine answers; installs and starts nothing. */
export async function needDocker(): Promise<void> {
  const problem = await silence();
  if (problem === undefined) return;
  const host = await dockerHost();
  throw host === undefined
    ? new SetupError(`Docker Engine does not answer: ${problem}\n  Fix: npx rejourney setup`)
    : noAnswerFrom(host, problem);
}

function noAnswerFrom(host: string, problem: string): SetupError {
  return new SetupError(`No Docker Engine answers at ${host}: ${problem}. Fix: docker version`);
}

/** Why no engine answers; undefined when one does. */
async function silence(): Promise<string | undefined> {
  const asked = await execa("docker", ["version", "--format={{.Server.Version}}"], {
    reject: false,
    timeout: 15_000,
  });
  if (asked.exitCode === 0) return undefined;
  return asked.stderr || "docker is not installed";
}

const LOCAL = "unix:///var/run/docker.sock";

/** The engine that `docker` is told to use, when it is not this machine's own. */
export async function dockerHost(): Promise<string | undefined> {
  const format = "{{.Endpoints.docker.Host}}";
  const { exitCode, stdout } = await execa("docker", ["context", "inspect", `--format=${format}`], {
    reject: false,
  });
  const host = process.env.DOCKER_HOST || (exitCode === 0 ? stdout : LOCAL); // empty counts as not set
  return host === LOCAL ? undefined : host;
}

async function start(log: Log): Promise<number | undefined> {
  log("Starting Docker Engine …");
  let engine: number | undefined;
  if (existsSync("/run/systemd/system")) {
    await execa("systemctl", ["enable", "--now", "docker"], { reject: false, timeout: 90_000 });
  } else {
    removeStalePids();
    const output = openSync(DAEMON_LOG, "a", 0o640);
    // In a session of its own: it outlives the command, and a Ctrl-C does not reach it.
    const child = spawn("dockerd", [], { detached: true, stdio: ["ignore", output, output] });
    child.on("error", () => {}); // then it does not answer, which is told below
    child.unref();
    engine = child.pid;
  }
  for (let second = 0; second < 60; second++) {
    if ((await silence()) === undefined) return engine;
    await sleep(1000);
  }
  const told = engine === undefined ? "See: journalctl -u docker" : lastLines(DAEMON_LOG, 8);
  throw new SetupError(`Docker Engine does not answer, even 60 seconds after its start.\n${told}`);
}

/** An engine that was killed leaves its id behind, and the next one does not start while any process has that id. */
function removeStalePids(): void {
  for (const [program, file] of Object.entries(PID_FILES)) {
    if (!existsSync(file)) continue;
    const name = `/proc/${readFileSync(file, "utf8").trim()}/comm`;
    if (!existsSync(name) || readFileSync(name, "utf8").trim() !== program) rmSync(file);
  }
}

function lastLines(file: string, count: number): string {
  return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").slice(-count).join("\n") : "";
}

async function ensureCompose(log: Log, confirm: DockerOptions["confirm"]): Promise<void> {
  const found = await composeVersion();
  if (isNewEnough(found)) return;
  const problem =
    found === undefined
      ? "Docker Compose is not installed"
      : `Docker Compose ${found} is older than ${OLDEST_COMPOSE}`;
  const folder = join(process.env.DOCKER_CONFIG ?? join(homedir(), ".docker"), "cli-plugins");
  if (!(await confirm(`${problem}. Put 2.40.3 into ${folder}?`)))
    throw new SetupError(
      `${problem}. Fix: install Compose ${OLDEST_COMPOSE} or newer (docs.docker.com/compose/install/linux)`,
    );
  const built = await goTool("compose", log);
  mkdirSync(folder, { recursive: true });
  const partial = join(folder, `.docker-compose.${process.pid}`);
  copyFileSync(built, partial);
  chmodSync(partial, 0o755);
  renameSync(partial, join(folder, "docker-compose"));
  if (!isNewEnough(await composeVersion()))
    throw new SetupError("Docker Compose is installed and does not answer. Fix: docker compose version");
}

async function composeVersion(): Promise<string | undefined> {
  const { exitCode, stdout } = await execa("docker", ["compose", "version", "--short"], { reject: false });
  return exitCode === 0 ? stdout.replace(/^v/, "") : undefined;
}

function isNewEnough(version: string | undefined): boolean {
  const found = coerce(version);
  return found !== null && gte(found, OLDEST_COMPOSE);
}
