import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { execa } from "execa";
import { command } from "../../infra/settings/command.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { cliEnvironment, pulumi } from "../engine/pulumi-cli.ts";
import { Failure, print, printJson } from "../terminal/output.ts";
import { type Bundle, isEnvFile, readBundle, recoveryKeyFile } from "../state/recovery-bundle.ts";
import { replaceFile } from "../state/replace-file.ts";
import { secretsInUse } from "../engine/secret-slots.ts";
import { foundResources, openStack } from "../engine/stack.ts";
import {
  localFolder,
  filesIn,
  givenPassphrase,
  hasResources,
  localStates,
  passphraseFile,
  passphraseText,
  stateFile,
  stateFolder,
} from "../state/folder.ts";

export interface RecoverOptions {
  key?: string;
  json: boolean;
}

/**
 * Puts back what a recovery bundle holds, and tries that its secrets open. Replaces no state that has resources and no
 * passphrase that another state needs; a `.env` that is there stays, and another file that differs is kept beside.
 */
export async function recover(path: string, { key, json }: RecoverOptions): Promise<void> {
  const keyPath = key === undefined ? recoveryKeyFile : resolve(key);
  const bundle = await readBundle(resolve(path), keyPath);
  const { stack, passphrase } = bundle;
  await refuseToReplace(bundle);
  await needsToOpen(bundle);
  const written: string[] = [];
  const put = (name: string, text: string, keepsOther = false) => {
    const target = join(projectRoot, name);
    const before = existsSync(target) ? readFileSync(target, "utf8") : undefined;
    if (before === text || (before !== undefined && keepsOther)) return;
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    if (before !== undefined) replaceFile(`${target}.before-recovery`, before);
    replaceFile(target, text);
    written.push(name);
  };
  for (const [name, text] of Object.entries(bundle.files)) put(name, text, isEnvFile(name));
  if (passphrase !== undefined && passphraseText() !== passphrase) {
    forgetEmptyStates();
    put(relative(projectRoot, passphraseFile), `${passphrase}\n`);
  }
  const { resources } = await openStack(stack);
  if (resources.length > 0) throw stateIsHere(stack);
  await pulumi(["stack", "import", "--stack", stack], bundle.state);
  const names = Object.keys(await secretsInUse(stack));
  if (!existsSync(recoveryKeyFile)) replaceFile(recoveryKeyFile, readFileSync(keyPath, "utf8"));
  if (json) {
    printJson({ stack, written, secrets: names });
    return;
  }
  print(
    `The state of ${stack} is restored, and its ${names.length} secrets decrypt. Written: ${[...written, "the state"].join(", ")}.\nNext: ${command(stack, "up")}\n`,
  );
}

/** Before anything is written. */
async function refuseToReplace({ stack, passphrase }: Bundle): Promise<void> {
  const given = givenPassphrase();
  if (given !== undefined && given !== passphrase)
    throw new Failure(
      "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE differs from the passphrase of the bundle; nothing was changed.\n" +
        "  Fix: unset it, or set it to the passphrase of the bundle",
    );
  const state = stateFolder();
  const isHere = state === undefined ? await isElsewhere(stack) : hasResources(stateFile(state, stack));
  if (isHere) throw stateIsHere(stack);
  // Also where another backend is in use now: its passphrase would take the place of theirs.
  const others = localStates().filter(hasResources);
  if (others.length > 0 && passphrase !== undefined && passphraseText() !== passphrase)
    throw new Failure(
      `${others[0]} uses a different passphrase than the bundle; nothing was changed.\n` +
        "  Fix: recover into a fresh clone of this project",
    );
}

/** Throws Failure when the state does not open with the passphrase, tried in a backend of its own. */
async function needsToOpen({ stack, passphrase, state }: Bundle): Promise<void> {
  if (passphrase === undefined) return;
  const cli = await cliEnvironment();
  const folder = mkdtempSync(join(tmpdir(), "rejourney-recover-"));
  try {
    copyFileSync(join(projectRoot, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
    const env = {
      ...cli,
      PULUMI_BACKEND_URL: `file://${folder}`,
      PULUMI_CONFIG_PASSPHRASE: passphrase,
    };
    const run = (args: readonly string[], input = "") =>
      execa("pulumi", [...args, "--stack", stack], { cwd: folder, env, input });
    await run(["stack", "init", "--no-select"]);
    await run(["stack", "import"], state);
    await run(["stack", "export", "--show-secrets"]);
  } catch (error) {
    const { stderr = "" } = error as { stderr?: string };
    throw new Failure(
      `The state in the bundle does not open: ${
        stderr
          .trim()
          .split("\n")
          .at(-1)
          ?.replace(/^error: /, "") ?? ""
      }. Nothing was changed.\n` + "  Fix: use another copy of the bundle",
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Whether a backend elsewhere has resources of the stack. */
async function isElsewhere(stack: string): Promise<boolean> {
  return ((await foundResources(stack)) ?? []).length > 0;
}

function stateIsHere(stack: string): Failure {
  return new Failure(
    `This project already has a state of ${stack}; nothing was changed.\n` +
      `  Fix: ${command(stack, "up")} uses that state; to replace it, move the folder .rejourney away, then retry`,
  );
}

/** A run that came to nothing has made a passphrase, and an empty state that it encrypts. */
function forgetEmptyStates(): void {
  for (const file of [...localStates(), ...filesIn(localFolder, /^Pulumi\..+\.yaml$/)])
    for (const path of [file, `${file}.attrs`, `${file}.bak`, `${file}.bak.attrs`])
      rmSync(path, { force: true });
}
