import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { coerce, satisfies } from "semver";
import which from "which";
import { cacheDir } from "./cache.ts";
import { download } from "./download.ts";
import { goTool, goToolPath } from "./go-tool.ts";
import type { Log } from "./log.ts";

/** The version of the CLI that the SDK in package.json goes with. */
const VERSION = "3.250.0";
const RELEASES = "https://get.pulumi.com/releases/sdk";
/** The provider plugins that the program uses, by their npm package's name below `@pulumi/`. */
const PLUGINS = ["random", "command", "kubernetes"];

/** Folder of the stand-ins; on PATH, the engine finds them by their names. */
export const standInFolder = join(import.meta.dirname, "..", "standins", "bin");

export interface Engine {
  /** Path of the Pulumi CLI. */
  pulumi: string;
  /** True where the official language host and plugins cannot be had, so that the stand-ins serve. */
  standIns: boolean;
}

/** Finds the Pulumi CLI, or downloads the official one, or builds it. Throws when none of these works. */
export async function ensureEngine(log: Log): Promise<Engine> {
  const pulumi =
    (await installedCli()) ?? cachedCli() ?? (await downloadedCli(log)) ?? (await goTool("pulumi", log));
  return { pulumi, standIns: !(await hasPlugins(pulumi, log)) };
}

async function installedCli(): Promise<string | undefined> {
  const path = onPath("pulumi");
  if (path === undefined) return undefined;
  const { stdout } = await execa(path, ["version"], { reject: false });
  const version = coerce(stdout);
  return version !== null && satisfies(version, `^${VERSION}`) ? path : undefined;
}

const officialFolder = join(cacheDir, `pulumi-${VERSION}`);
const officialCli = join(officialFolder, "pulumi", "pulumi");

function cachedCli(): string | undefined {
  return [officialCli, goToolPath("pulumi")].find((path) => existsSync(path));
}

// The official release carries the language host beside the CLI.
async function downloadedCli(log: Log): Promise<string | undefined> {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const name = `pulumi-v${VERSION}-${process.platform}-${arch}.tar.gz`;
  const sums = `${RELEASES}/pulumi-${VERSION}-checksums.txt`;
  const found = await download({ url: `${RELEASES}/${name}`, sums, folder: officialFolder, log });
  return found ? officialCli : undefined;
}

async function hasPlugins(pulumi: string, log: Log): Promise<boolean> {
  const host = "pulumi-language-nodejs";
  if (!existsSync(join(dirname(pulumi), host)) && onPath(host) === undefined) return false;
  const home = process.env.PULUMI_HOME ?? join(homedir(), ".pulumi");
  const require = createRequire(import.meta.url);
  for (const name of PLUGINS) {
    const { version } = require(`@pulumi/${name}/package.json`) as { version: string };
    if (existsSync(join(home, "plugins", `resource-${name}-v${version}`))) continue;
    log(`Installing the Pulumi plugin ${name} ${version} …`);
    const args = ["plugin", "install", "resource", name, version];
    const { exitCode } = await execa(pulumi, args, { reject: false, stdin: "ignore", timeout: 120_000 });
    if (exitCode !== 0) return false;
  }
  return true;
}

/** Where PATH leads to, the stand-ins apart. */
function onPath(name: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== standInFolder);
  return which.sync(name, { path: folders.join(delimiter), nothrow: true }) ?? undefined;
}
