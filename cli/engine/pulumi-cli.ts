import { copyFileSync, mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { CommandError, ConcurrentUpdateError } from "@pulumi/pulumi/automation/index.js";
import { execa, ExecaError } from "execa";
import { projectRoot } from "../../infra/settings/sources.ts";
import { ensureEngine, standInFolder } from "../../tools/setup/engine.ts";
import { type Plugin, pulumiHome } from "../../tools/setup/plugins.ts";
import { ensureCli } from "../../tools/setup/pulumi-cli.ts";
import { type Lock, lockedBy } from "../state/lock.ts";
import { Failure, log } from "../terminal/output.ts";
import { isShadowed, localFolder, passphrase, stateFolder } from "../state/folder.ts";

/** The environment of every command of the engine: its CLI first on PATH, the backend, the passphrase. */
export async function engineEnvironment(): Promise<Record<string, string>> {
  const secret = passphrase();
  const state = stateFolder();
  if (state !== undefined) mkdirSync(state, { recursive: true, mode: 0o700 });
  return {
    ...(await cliEnvironment()),
    ...(state !== undefined && { PULUMI_BACKEND_URL: `file://${state}` }),
    ...secret,
  };
}

/** The environment of every command of the engine, whatever its backend. */
export async function cliEnvironment(): Promise<Record<string, string>> {
  return {
    PATH: pathWith(dirname(await ensureCli(log))),
    PULUMI_HOME: pulumiHome(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}

/** What a run of the engine needs besides: its language host, its plugins, and what stand-ins serve. */
export async function pluginEnvironment(plugins: readonly Plugin[]) {
  const { pulumi, standIns } = await ensureEngine(plugins, log);
  const env = {
    PATH: pathWith(...standIns.map(standInFolder), dirname(pulumi)),
    ...(standIns.length > 0 && { PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true" }),
  };
  return { env, standIns };
}

function pathWith(...folders: string[]): string {
  return [...folders, process.env.PATH].join(delimiter);
}

/** Standard output of `pulumi <args>`. */
export async function pulumi(args: readonly string[], input = ""): Promise<string> {
  const { stdout } = await inWords(execa("pulumi", args, { cwd: projectRoot, input }));
  return stdout;
}

/**
 * Makes an empty stack. In the folder of the settings' copy, which thereby gets the passphrase's salt: the engine
 * writes it beside the Pulumi.yaml that it finds.
 */
export async function createStack(name: string): Promise<void> {
  copyFileSync(join(projectRoot, "Pulumi.yaml"), join(localFolder, "Pulumi.yaml"));
  const made = execa("pulumi", ["stack", "init", "--no-select", "--stack", name], { cwd: localFolder });
  try {
    await inWords(made);
  } catch (error) {
    // Another first run has been faster.
    if (!/already exists/.test((error as Error).message)) throw error;
  }
}

/** How the engine names a lock of a backend elsewhere: its path ends with the stack and the lock's own name. */
const LOCK =
  /\/locks\/\S*?(?<stack>[\w.-]+)\/[\w-]+\.json\S*: created by (?<username>\S+)@(?<hostname>\S+) \(pid (?<pid>\d+)\) at (?<timestamp>\S+)/;

/**
 * The result of what the engine does; a failure of it becomes a Failure in plain words. `told` says whether the
 * engine has told the reason already.
 */
export async function inWords<T>(work: Promise<T>, told: () => boolean = () => false): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof ExecaError)) throw error;
    const { message } = error;
    if (/incorrect passphrase/.test(message))
      throw new Failure(
        "This passphrase does not decrypt the state; nothing was changed.\n" +
          (isShadowed()
            ? "  Fix: unset PULUMI_CONFIG_PASSPHRASE and PULUMI_CONFIG_PASSPHRASE_FILE, which hide .rejourney/passphrase"
            : "  Fix: put the right passphrase into .rejourney/passphrase, or set PULUMI_CONFIG_PASSPHRASE_FILE to its file"),
      );
    const lock = LOCK.exec(message)?.groups as
      (Omit<Lock, "pid"> & { pid: string; stack: string }) | undefined;
    if (lock !== undefined) throw lockedBy({ ...lock, pid: Number(lock.pid) }, lock.stack);
    if (error instanceof ConcurrentUpdateError)
      throw new Failure("Another run is changing this stack. Retry when it has ended.");
    if (told()) throw new Failure("This failed; the reason is above. The same command resumes from here.");
    if (/was killed with SIG/.test(message))
      throw new Failure("This was interrupted. The same command resumes from here.");
    const lines = message.split("\n").filter((line) => /^(.*stderr: )?error: /.test(line));
    throw new Failure(
      lines.length > 0 ? lines.map((line) => line.replace(/^.*?error: /, "")).join("\n") : message,
    );
  }
}
