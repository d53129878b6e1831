import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { rotationsName } from "../infra/secrets/names.ts";
import { projectRoot } from "../infra/settings/sources.ts";
import { ensureEngine, standInFolder } from "../tools/setup/engine.ts";

export interface Ran {
  /** Exit code, or the signal that ended it. */
  status: number | NodeJS.Signals;
  stdout: string;
  stderr: string;
}

const PARTS = [
  "ci",
  "cli",
  "infra",
  "sample",
  "scripts",
  "stacks",
  "tools",
  "package.json",
  "package-lock.json",
  "Pulumi.yaml",
];
const FILES = ["Pulumi.selfhosted.yaml", "Pulumi.prod.yaml", "docker-compose.selfhosted.yml"];

/** A copy of this project in a folder of its own, which a test may change, and use as its user would. */
export class TestProject {
  readonly folder = mkdtempSync(join(tmpdir(), "rejourney-test-"));
  /** The stack whose state is read. */
  stack = "selfhosted";
  /** All that the commands have printed. */
  printed = "";
  /** Folders that come first on PATH. */
  readonly #programs: string[] = [];
  /** What names the Docker host. */
  #docker: NodeJS.ProcessEnv = {};

  constructor() {
    for (const part of [...PARTS, ...FILES])
      cpSync(join(projectRoot, part), this.path(part), { recursive: true });
    symlinkSync(join(projectRoot, "node_modules"), this.path("node_modules"));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  read(...parts: string[]): string {
    return readFileSync(this.path(...parts), "utf8");
  }

  /** From now on, `docker` is what `test/fake-docker.mjs` says. */
  fakeDocker(): FakeDocker {
    mkdirSync(this.path("bin"));
    cpSync(join(projectRoot, "test", "fake-docker.mjs"), this.path("bin", "docker.mjs"));
    symlinkSync("docker.mjs", this.path("bin", "docker"));
    this.#programs.push(this.path("bin"));
    this.#docker = { DOCKER_HOST: `unix://${this.path("bin", "docker.sock")}` };
    return new FakeDocker(this);
  }

  /** `rejourney <args>`, to its end. */
  rejourney(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    return this.run(this.path("cli", "rejourney.mjs"), args, env);
  }

  /** A program of the project, to its end. */
  async run(path: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
    const ran = await ended(this.#spawn(path, args, env));
    this.printed += ran.stdout + ran.stderr;
    return ran;
  }

  /** `rejourney <args>`, still running, in a process group of its own. */
  start(args: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
    return this.#spawn(this.path("cli", "rejourney.mjs"), args, env);
  }

  #spawn(path: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
    return spawn(path, args, {
      cwd: this.folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...this.#environment(), ...env },
    });
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      ...withoutSettings(),
      ...this.#docker,
      PATH: [...this.#programs, process.env.PATH].join(delimiter),
    };
  }

  /** The Pulumi CLI itself, as its user would call it: with nothing but the passphrase and, for stand-ins, PATH. */
  async pulumi(...args: string[]): Promise<Ran> {
    const plugins = ["random", this.stack === "prod" ? "kubernetes" : "command"] as const;
    const { pulumi, standIns } = await ensureEngine(plugins, () => {});
    const path = [this.path("node_modules", ".bin"), ...standIns.map(standInFolder)];
    const env = {
      ...withoutSettings(),
      ...this.#docker,
      PATH: [...path, ...this.#programs, process.env.PATH].join(delimiter),
      PULUMI_CONFIG_PASSPHRASE_FILE: this.path(".rejourney", "passphrase"),
      PULUMI_SKIP_UPDATE_CHECK: "true",
    };
    const ran = await ended(
      spawn(pulumi, args, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"], env }),
    );
    this.printed += ran.stdout + ran.stderr;
    return ran;
  }

  /** `rejourney <args> --json`, which has to work: its result. */
  async json<T>(...args: string[]): Promise<T> {
    const { status, stdout, stderr } = await this.rejourney([...args, "--json"]);
    if (status !== 0) throw new Error(`rejourney ${args.join(" ")} ended with ${status}:\n${stderr}`);
    return JSON.parse(stdout) as T;
  }

  /** The state, by the engine's own export. */
  async state(...flags: string[]): Promise<{ resources: StateResource[]; pending_operations?: unknown[] }> {
    // Not among what is printed: it is asked for to compare secrets.
    const { stdout, stderr } = await ended(
      this.start(["pulumi", "stack", "export", "--stack", this.stack, ...flags]),
    );
    if (stdout === "") throw new Error(stderr);
    const { deployment } = JSON.parse(stdout) as { deployment: { resources?: StateResource[] } };
    return { ...deployment, resources: deployment.resources ?? [] };
  }

  /** The value in use of every secret, decrypted by the engine. */
  async secrets(): Promise<Record<string, string>> {
    const { resources } = await this.state("--show-secrets");
    const slots = resources.filter(
      ({ type, urn }) =>
        type === "pulumi:index:Stash" && urn.includes("::secrets-") && !urn.endsWith(`::${rotationsName()}`),
    );
    return Object.fromEntries(
      slots.map(({ urn, outputs }) => [
        urn.split("::secrets-")[1]!.replaceAll("-", "_").toUpperCase(),
        JSON.parse((outputs!.output as { plaintext: string }).plaintext) as string,
      ]),
    );
  }

  /** Every file below a folder, by its path. */
  files(below: string): ReadonlyMap<string, string> {
    const entries = readdirSync(this.path(below), { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    return new Map(paths.map((path) => [path, readFileSync(path, "latin1")]));
  }

  exists(...parts: string[]): boolean {
    return existsSync(this.path(...parts));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a `docker` that keeps no container was asked. */
export class FakeDocker {
  readonly #project: TestProject;

  constructor(project: TestProject) {
    this.#project = project;
  }

  /** The project that is up, as text; undefined when none is. */
  up(): string | undefined {
    return this.#project.exists("bin", "up.yml") ? this.#project.read("bin", "up.yml") : undefined;
  }

  /** Every call so far. */
  calls(): { args: string[]; verb?: string; input?: string; env: Record<string, string> }[] {
    const lines = this.#project.read("bin", "calls.jsonl").trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as ReturnType<FakeDocker["calls"]>[number]);
  }

  /** Takes every registry out of reach, or brings it back. */
  registries(reachable: boolean): void {
    const mark = this.#project.path("bin", "out-of-reach");
    if (reachable) rmSync(mark, { force: true });
    else writeFileSync(mark, "");
  }

  /** From now on, the id of the engine is this one. */
  engine(id: string): void {
    writeFileSync(this.#project.path("bin", "engine"), id);
  }

  /** Takes the volumes away. */
  loseVolumes(): void {
    rmSync(this.#project.path("bin", "volumes"));
  }

  /** From now on, `down` says this and fails; no longer with undefined. */
  failingDown(words: string | undefined): void {
    const path = this.#project.path("bin", "failing-down");
    if (words === undefined) rmSync(path);
    else writeFileSync(path, words);
  }

  /** From now on, the digest of every image is this hex digit, 64 times. */
  digest(digit: string): void {
    writeFileSync(this.#project.path("bin", "digest"), digit);
  }

  /** Makes the next migration wait. */
  hold(): void {
    writeFileSync(this.#project.path("bin", "hold"), randomUUID());
  }

  /** True once a migration waits. */
  isAtWork(): boolean {
    return this.#project.exists("bin", "at-work");
  }

  release(): void {
    for (const name of ["hold", "at-work"]) rmSync(this.#project.path("bin", name), { force: true });
  }
}

export interface StateResource {
  urn: string;
  id?: string;
  type: string;
  protect?: boolean;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
}

/** The environment, without what the shell of whoever runs the tests exports as settings, but for where plugins are. */
function withoutSettings(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(
    ([name]) => !/^(PULUMI_(?!HOME$)|REJOURNEY_)/.test(name),
  );
  return Object.fromEntries(entries);
}

/** What a process printed, once it and all that holds its output have ended. */
export function ended(child: ChildProcess): Promise<Ran> {
  let [stdout, stderr] = ["", ""];
  child.stdout!.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr!.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ status: code ?? signal!, stdout, stderr }));
  });
}
