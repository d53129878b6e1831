import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { execa } from "execa";
import { coerce, satisfies } from "semver";
import { cacheDir } from "./cache.ts";
import { checksumOf } from "./checksums.ts";
import { download, isWithinReach } from "./download.ts";
import { goTool, goToolPath } from "./go-tool.ts";
import type { Log } from "./log.ts";
import { onPath } from "./path.ts";

/** The CLI has the version of the SDK. */
const { version: VERSION } = createRequire(import.meta.url)("@pulumi/pulumi/package.json") as {
  version: string;
};
export const RELEASES = "https://get.pulumi.com/releases/sdk";

const folder = join(cacheDir, `pulumi-${VERSION}`);
const official = join(folder, "pulumi", "pulumi");

/** Path of the Pulumi CLI: the installed one, the official one, or one that is built here. Throws SetupError. */
export async function ensureCli(log: Log): Promise<string> {
  return (await installedCli()) ?? cachedCli() ?? (await officialCli(log)) ?? (await goTool("pulumi", log));
}

async function installedCli(): Promise<string | undefined> {
  const path = onPath("pulumi");
  if (path === undefined) return undefined;
  const { stdout } = await execa(path, ["version"], {
    env: { PULUMI_SKIP_UPDATE_CHECK: "true" },
    reject: false,
    timeout: 10_000,
  });
  const version = coerce(stdout);
  return version !== null && satisfies(version, `^${VERSION}`) ? path : undefined;
}

function cachedCli(): string | undefined {
  return [official, goToolPath("pulumi")].find((path) => existsSync(path));
}

/**
 * The official release, which has the language host beside the CLI. Undefined when its server is not within reach. Throws
 * SetupError when the download fails.
 */
export async function officialCli(log: Log): Promise<string | undefined> {
  if (existsSync(official)) return official;
  const url = `${RELEASES}/pulumi-v${VERSION}-${process.platform}-${process.arch}.tar.gz`;
  if (!(await isWithinReach(url))) return undefined;
  const sha256 = checksumOf(basename(url, ".tar.gz"), "install Pulumi (pulumi.com/docs/install)");
  await download({ url, sha256, folder, log });
  return official;
}
