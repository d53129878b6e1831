import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { userInfo } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { checksumOf } from "./checksums.ts";
import { isWithinReach, retried } from "./download.ts";
import { SetupError } from "./error.ts";
import { goTool } from "./go-tool.ts";
import type { Log } from "./log.ts";
import { onPath } from "./path.ts";
import { RELEASES } from "./pulumi-cli.ts";

/** The provider plugins that a stack may need, by their npm package's name below `@pulumi/`. */
export const PLUGINS = ["random", "command", "kubernetes", "cloudflare"] as const;
export type Plugin = (typeof PLUGINS)[number];

/** The engine's own folder: in the home of the user's account, whatever HOME says, unless PULUMI_HOME names another. */
export function pulumiHome(): string {
  return process.env.PULUMI_HOME || join(userInfo().homedir, ".pulumi");
}

/** The version of a plugin that goes with its npm package. */
export function pluginVersion(name: Plugin): string {
  const require = createRequire(import.meta.url);
  return (require(`@pulumi/${name}/package.json`) as { version: string }).version;
}

/** Milliseconds that the download of a plugin may take. */
const LONGEST = 900_000;

/**
 * Makes sure of the official plugin that goes with the npm package. False when no server is within reach, and a stand-in
 * has to serve. Throws SetupError when a download fails, and when there is neither a server nor a stand-in.
 */
export async function ensurePlugin(pulumi: string, name: Plugin, log: Log): Promise<boolean> {
  const version = pluginVersion(name);
  const executable = `pulumi-resource-${name}`;
  const folder = join(pulumiHome(), "plugins", `resource-${name}-v${version}`);
  // The engine unpacks into the folder itself, with a mark beside it until that is done.
  const isWhole = existsSync(join(folder, executable)) && !existsSync(`${folder}.partial`);
  if (isWhole || onPath(executable) !== undefined) return true;
  if (await isWithinReach(RELEASES)) {
    await install(pulumi, name, version, log);
    return true;
  }
  if (name === "cloudflare")
    throw new SetupError(
      `Pulumi's plugin ${name} ${version} is not installed, and its download server is not within reach.\n` +
        `  Fix: let this machine reach api.github.com or get.pulumi.com, then retry; or copy ${folder} from a machine that has it`,
    );
  if (name !== "kubernetes") return false;
  putInPlace(await goTool(executable as "pulumi-resource-kubernetes", log), folder, executable);
  return true;
}

async function install(pulumi: string, name: Plugin, version: string, log: Log): Promise<void> {
  const what = `Installing Pulumi's plugin ${name} ${version}`;
  log(`${what} …`);
  const arch = process.arch === "x64" ? "amd64" : process.arch;
  const archive = `pulumi-resource-${name}-v${version}-${process.platform}-${arch}`;
  const command = ["plugin", "install", "resource", name, version];
  const args = [...command, "--checksum", checksumOf(archive, `npm run pulumi -- ${command.join(" ")}`)];
  const attempt = async () => {
    const { exitCode, stderr, timedOut } = await execa(pulumi, args, {
      reject: false,
      stdin: "ignore",
      timeout: LONGEST,
    });
    if (timedOut) throw new Error(`it took more than ${LONGEST / 60_000} minutes`);
    if (exitCode !== 0) throw new Error(stderr.trim().split("\n").at(-1));
  };
  await retried(what, attempt, log);
}

/** As a download of the engine's would lie there. Throws SetupError. */
function putInPlace(built: string, folder: string, executable: string): void {
  const partial = join(folder, "..", `.${process.pid}-${executable}`);
  try {
    mkdirSync(partial, { recursive: true });
    try {
      linkSync(built, join(partial, executable));
    } catch {
      copyFileSync(built, join(partial, executable)); // another file system
    }
    for (const old of [folder, `${folder}.partial`]) rmSync(old, { recursive: true, force: true });
    renameSync(partial, folder);
  } catch (error) {
    // Another run has been faster.
    if (existsSync(join(folder, executable))) return;
    throw new SetupError(
      `Pulumi's plugin cannot be kept: ${(error as Error).message}\n  Fix: make ${dirname(folder)} writable, or set PULUMI_HOME, then retry`,
    );
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}
