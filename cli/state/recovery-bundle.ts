import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { z } from "zod";
import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from "age-encryption";
import { envPath, projectRoot, takenPath } from "../../infra/settings/sources.ts";
import { Failure, log } from "../terminal/output.ts";
import { replaceFile } from "./replace-file.ts";
import { localFolder, passphraseText, stackFile } from "./folder.ts";

/** All that brings a stack back on another machine, but for the data. */
export interface Bundle {
  version: 1;
  stack: string;
  /** Opens the secrets in the state; absent where the backend needs none. */
  passphrase?: string | undefined;
  /** What `pulumi stack export` says: every secret in it is encrypted. */
  state: string;
  /** Texts of files, by their path below the project's folder. */
  files: Record<string, string>;
}

/** The age identity that opens the bundles. */
export const recoveryKeyFile = join(localFolder, "recovery.key");

/** A bundle's name, in the folder .rejourney and in messages. */
export function bundleName(stack: string): string {
  return `recovery-${stack}.age`;
}

/**
 * Writes the bundle of a stack with this export of its state, encrypted to the recovery key, which is made at first use, and opens what it wrote to
 * prove it. The bundle before stays where that fails. The result is the bundle's path.
 */
export async function writeBundle(stack: string, state: string): Promise<string> {
  const target = join(localFolder, bundleName(stack));
  const isFirst = [target, recoveryKeyFile].some((path) => !existsSync(path));
  const key = await recoveryKey();
  const own = ownFiles(stack);
  const paths = [...own, ...(isBelow(envPath()) ? [envPath()] : [])];
  const files = paths
    .filter((path) => existsSync(path))
    .map((path) => {
      const name = relative(projectRoot, path);
      return [own.includes(path) || isEnvFile(name) ? name : ".env", readFileSync(path, "utf8")];
    });
  const bundle: Bundle = {
    version: 1,
    stack,
    passphrase: passphraseText(),
    state,
    files: Object.fromEntries(files) as Record<string, string>,
  };
  const text = JSON.stringify(bundle);
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(key));
  const encrypted = await encrypter.encrypt(text);
  if (JSON.stringify(await opened(encrypted, key)) !== text)
    throw new Failure("The new recovery bundle does not decrypt to its content; the previous one was kept.");
  replaceFile(target, encrypted);
  if (isFirst)
    log(
      "Created a recovery bundle and tested that it decrypts. Copy both files to two different places elsewhere:\n" +
        `  once (such as to a password manager): ${recoveryKeyFile}\n` +
        `  after each up:                        ${target}`,
    );
  return target;
}

/** The content of a bundle. Throws Failure when the key does not fit, or the file is damaged. */
export async function readBundle(path: string, keyPath: string): Promise<Bundle> {
  for (const file of [path, keyPath]) if (!existsSync(file)) throw new Failure(`${file} does not exist.`);
  const bundle = await opened(readFileSync(path), readFileSync(keyPath, "utf8")).catch(() => {
    throw new Failure(
      `${path} does not decrypt with the key in ${keyPath}: the key is a different one, or the file is damaged. Nothing was changed.`,
    );
  });
  // Whoever has seen the public half of the key can write one.
  const parsed = SCHEMA.safeParse(bundle);
  const strange = parsed.success
    ? Object.keys(parsed.data.files).find((name) => !belongs(name, parsed.data))
    : parsed.error.issues[0]!.path.join(".");
  if (!parsed.success || strange !== undefined)
    throw new Failure(
      `${path} is not a bundle that this program wrote: ${JSON.stringify(strange)} in it is not valid. Nothing was changed.`,
    );
  return parsed.data;
}

/** Whether a bundle may have a file of this name in the place of `.env`: settings, and nothing that anybody runs. */
export function isEnvFile(name: string): boolean {
  return /^([^./][^/]*\/)*(\.env(\.[\w-]+)*|[\w-][\w.-]*\.env)$/.test(name);
}

/** Names that are of something else in the folder .rejourney, where each stack has a folder. */
const TAKEN = ["passphrase", "state", "recovery.key"];

const SCHEMA = z.object({
  version: z.literal(1),
  // What the engine takes for the name of a stack.
  stack: z
    .string()
    .regex(/^[\w-][\w.-]*$/)
    .refine((name) => !TAKEN.includes(name)),
  passphrase: z.string().regex(/\S/).optional(),
  state: z.string().refine(isState),
  files: z.record(z.string(), z.string()),
});

function isState(text: string): boolean {
  try {
    const { version, deployment } = JSON.parse(text) as {
      version?: unknown;
      deployment?: { resources?: unknown };
    };
    return typeof version === "number" && Array.isArray(deployment?.resources);
  } catch {
    return false;
  }
}

function belongs(name: string, { stack }: Pick<Bundle, "stack">): boolean {
  return isEnvFile(name) || ownFiles(stack).some((path) => relative(projectRoot, path) === name);
}

function ownFiles(stack: string): string[] {
  return [stackFile(stack), takenPath(stack)];
}

async function opened(encrypted: Uint8Array, key: string): Promise<Bundle> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(key.trim());
  const bundle = JSON.parse(await decrypter.decrypt(encrypted, "text")) as Bundle;
  if (bundle.version !== 1) throw new Error("unknown version");
  return bundle;
}

async function recoveryKey(): Promise<string> {
  if (!existsSync(recoveryKeyFile)) {
    mkdirSync(dirname(recoveryKeyFile), { recursive: true, mode: 0o700 });
    replaceFile(recoveryKeyFile, `${await generateIdentity()}\n`);
  }
  return readFileSync(recoveryKeyFile, "utf8").trim();
}

function isBelow(path: string): boolean {
  return !relative(projectRoot, path).startsWith("..");
}
