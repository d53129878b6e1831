import { randomBytes } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { parse } from "yaml";
import { ownerOf } from "../../infra/settings/owner.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { Failure, log } from "../terminal/output.ts";

/** What this project keeps on the operator's machine; git ignores it. */
export const localFolder = join(projectRoot, ".rejourney");
export const passphraseFile = join(localFolder, "passphrase");

/**
 * Throws Failure where the folder belongs to another user: what this one cannot see would count as not there. Warns where
 * others may look into it.
 */
export function needOwnFolder(): void {
  if (!existsSync(localFolder)) return;
  try {
    accessSync(localFolder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch {
    throw new Failure(
      `This deployment belongs to ${ownerOf(localFolder)}, and this user has no access to ${localFolder}; nothing was changed.\n` +
        `  Fix: run the command as that user, or: sudo chown -R ${process.getuid?.()} ${localFolder}`,
    );
  }
  if ((statSync(localFolder).mode & 0o007) !== 0)
    log(`Warning: other users of this machine have access to ${localFolder}: chmod 700 ${localFolder}`);
}

/**
 * The folder of the state, by PULUMI_BACKEND_URL or else Pulumi.yaml; undefined when a backend elsewhere keeps it. A
 * relative one is below the project's folder.
 */
export function stateFolder(): string | undefined {
  const { PULUMI_BACKEND_URL: named = "" } = process.env;
  return named === "" ? ownStateFolder() : folderAt(named);
}

/** The one that Pulumi.yaml names. */
function ownStateFolder(): string | undefined {
  const { backend } = parse(readFileSync(join(projectRoot, "Pulumi.yaml"), "utf8")) as {
    backend?: { url?: string };
  };
  return folderAt(backend?.url);
}

function folderAt(url: string | undefined): string | undefined {
  if (url?.startsWith("file://") !== true) return undefined;
  return resolve(projectRoot, url.slice("file://".length).replace(/^~(?=\/|$)/, homedir()));
}

function statesIn(state: string): string[] {
  return filesIn(dirname(stateFile(state, "any")), /\.json$/);
}

/** The files of a folder whose names match; no glob, since the folder's own path may have its characters. */
export function filesIn(folder: string, names: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => names.test(name))
    .map((name) => join(folder, name));
}

/** The files of all stacks in the state in use and, where that is another one, in the project's own. */
export function localStates(): string[] {
  const folders = new Set([stateFolder(), ownStateFolder()]);
  return [...folders].flatMap((state) => (state === undefined ? [] : statesIn(state)));
}

/** The file in which the local backend keeps a stack. */
export function stateFile(state: string, stack: string): string {
  return join(state, ".pulumi", "stacks", "rejourney", `${stack}.json`);
}

/**
 * A copy of `Pulumi.<stack>.yaml` for the engine, which writes the salt of the passphrase into its file: a committed
 * salt would belong to one machine alone. A salt that the user has committed is taken over.
 */
export function configFile(stack: string): string {
  const committed = readFileSync(stackFile(stack), "utf8");
  const copy = join(localFolder, `Pulumi.${stack}.yaml`);
  const salt =
    existsSync(copy) && !SALT.test(committed) ? SALT.exec(readFileSync(copy, "utf8"))?.[0] : undefined;
  mkdirSync(localFolder, { recursive: true, mode: 0o700 });
  writeFileSync(copy, salt === undefined ? committed : `${committed.replace(/\n*$/, "\n")}${salt}\n`);
  return copy;
}

/** `Pulumi.<stack>.yaml`. */
export function stackFile(stack: string): string {
  return join(projectRoot, `Pulumi.${stack}.yaml`);
}

const SALT = /^encryptionsalt:.*$/m;

/**
 * The variables by which the engine finds its passphrase; makes one at first use. Throws Failure when there is
 * something already that another passphrase encrypts.
 */
export function passphrase(): Record<string, string> {
  if (passphraseText()?.trim() === "") needNothingYet();
  if (givenPassphrase() !== undefined) return {};
  if (existsSync(passphraseFile)) return { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile };
  const state = stateFolder();
  // A backend elsewhere may have no need of a passphrase, and has its own words where it does.
  if (state === undefined) return {};
  const encrypted = [...statesIn(state), ...filesIn(projectRoot, /^Pulumi\..+\.yaml$/).filter(isSalted)];
  if (encrypted.length > 0)
    throw new Failure(
      `The passphrase for ${relative(projectRoot, encrypted[0]!)} is missing; nothing was changed.\n` +
        `  Fix: put it into ${passphraseFile}, or set PULUMI_CONFIG_PASSPHRASE_FILE to its file`,
    );
  makePassphrase();
  return { PULUMI_CONFIG_PASSPHRASE_FILE: passphraseFile };
}

let isWarned = false;

/** Throws Failure where an empty passphrase would begin a state; one that has begun with it has to be left. */
function needNothingYet(): void {
  if (localStates().some(hasResources)) {
    if (!isWarned)
      log(
        "Warning: the passphrase of the state is empty, so everybody who has the state can read its secrets.\n" +
          "  Fix: npx -- rejourney secrets export --env-file in-use.env, move .rejourney away, unset PULUMI_CONFIG_PASSPHRASE and PULUMI_CONFIG_PASSPHRASE_FILE, move in-use.env to .env, then npm run up",
      );
    isWarned = true;
    return;
  }
  throw new Failure(
    `The passphrase of the state is empty, so its secrets would not be encrypted; nothing was changed.\n` +
      (givenPassphrase() === undefined
        ? `  Fix: put it into ${passphraseFile}`
        : "  Fix: unset PULUMI_CONFIG_PASSPHRASE and PULUMI_CONFIG_PASSPHRASE_FILE, or set one of them (in CI: add the secret)"),
  );
}

/** Whether a file of the local backend has a stack that is deployed. Throws Failure when it is damaged. */
export function hasResources(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    const { checkpoint } = JSON.parse(readFileSync(file, "utf8")) as {
      checkpoint?: { latest?: { resources?: unknown[] } | null };
    };
    return (checkpoint?.latest?.resources ?? []).length > 0;
  } catch {
    throw new Failure(
      `The state file ${file} is damaged; nothing was changed.\n` +
        "  Fix: move the folder .rejourney away, then: npx rejourney recover BUNDLE --key KEY",
    );
  }
}

/** The passphrase in use; undefined when there is none. */
export function passphraseText(): string | undefined {
  return givenPassphrase() ?? keptPassphrase();
}

/** Whether the environment gives another one than the project has. */
export function isShadowed(): boolean {
  const [given, kept] = [givenPassphrase(), keptPassphrase()];
  return given !== undefined && kept !== undefined && given !== kept;
}

function keptPassphrase(): string | undefined {
  return existsSync(passphraseFile) ? readFileSync(passphraseFile, "utf8").trim() : undefined;
}

/** The one that the environment gives; empty where it names a file that is not there. */
export function givenPassphrase(): string | undefined {
  const { PULUMI_CONFIG_PASSPHRASE: given, PULUMI_CONFIG_PASSPHRASE_FILE: file } = process.env;
  if (given !== undefined) return given;
  if (file === undefined) return undefined;
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}

function isSalted(file: string): boolean {
  return SALT.test(readFileSync(file, "utf8"));
}

function makePassphrase(): void {
  mkdirSync(localFolder, { recursive: true, mode: 0o700 });
  const partial = `${passphraseFile}.${process.pid}`;
  writeFileSync(partial, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flush: true });
  try {
    linkSync(partial, passphraseFile); // unlike a rename, this never replaces what another run has made meanwhile
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(partial);
  }
  log(
    `Created a passphrase that encrypts the secrets in the state: ${passphraseFile}\n` +
      "  Without it, the state cannot be decrypted. The recovery bundle that `up` writes contains a copy.",
  );
}
