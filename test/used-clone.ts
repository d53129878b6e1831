import { execFileSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../infra/settings/sources.ts";
import { ensureCli } from "../tools/setup/pulumi-cli.ts";

/** Who runs tests where this user is root. */
const NOBODY = 65_534;
const ENV = [
  "JWT_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  "SMTP_PASS=a-mail-password",
  "S3_ENDPOINT=https://s3.example.com",
  "S3_BUCKET=mine",
  "REJOURNEY_RELEASE=9.9.9",
];
const TAKEN = { release: "9.9.9", images: { api: `example.com/own/api@sha256:${"1".repeat(64)}` } };

/** A copy of this project that somebody uses. */
export interface UsedClone {
  folder: string;
  /** All that the environment has: settings of all kinds, and folders that belong to the clone. */
  env: Record<string, string>;
  /** The user whose clone it is; absent: the one who runs this. */
  user?: { uid: number; gid: number };
  remove: () => void;
}

/**
 * Makes a clone with a `.env`, and with what `up` has written, for another user than root where `asNobody`. The tests have
 * to pass there as they do in a clone that nobody has used.
 */
export async function usedClone({ asNobody }: { asNobody: boolean }): Promise<UsedClone> {
  const folder = mkdtempSync(join(tmpdir(), "rejourney-test-"));
  const path = (...parts: string[]) => join(folder, ...parts);
  copyFiles(folder);
  writeFileSync(path(".env"), ENV.join("\n"), { mode: 0o600 });
  for (const stack of ["selfhosted", "prod"]) {
    mkdirSync(path(".rejourney", stack), { recursive: true, mode: 0o700 });
    writeFileSync(path(".rejourney", stack, "images.json"), JSON.stringify(TAKEN));
  }
  writeFileSync(path(".rejourney", "passphrase"), "a passphrase\n", { mode: 0o600 });
  // A user of its own has a CLI of its own; here on PATH, so that none is built.
  for (const name of ["home", "bin"]) mkdirSync(path(name));
  cpSync(await ensureCli(() => {}), path("bin", "pulumi"));
  const { PATH, HOME, XDG_CACHE_HOME } = process.env;
  const env = {
    PATH: `${path("bin")}:${PATH}`,
    CI: "true",
    NODE_ENV: "production",
    NODE_COMPILE_CACHE: path("home", "compiled"),
    DOCKER_HOST: "unix:///nowhere",
    KUBECONFIG: "/nowhere",
    PULUMI_BACKEND_URL: "file:///nowhere",
    PULUMI_CONFIG_PASSPHRASE: "another",
    PULUMI_HOME: "/nowhere",
    REJOURNEY_RELEASE: "8.8.8",
    REJOURNEY_STAND_INS: "true",
    S3_ENDPOINT: "https://other.example.com",
    S3_BUCKET: "other",
  };
  const remove = () => rmSync(folder, { recursive: true, force: true });
  if (!asNobody)
    return { folder, env: { ...env, HOME: HOME!, ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }) }, remove };
  const own = { ...env, HOME: path("home"), XDG_CACHE_HOME: path("home", "cache") };
  if (process.getuid!() !== 0 || !(await isReadable())) return { folder, env: own, remove };
  give(folder);
  return { folder, env: own, user: { uid: NOBODY, gid: NOBODY }, remove };
}

/** What git knows of the project, and the packages. */
function copyFiles(folder: string): void {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", projectRoot, ...args], { encoding: "utf8" })
      .split("\0")
      .slice(0, -1);
  const gone = new Set(git("ls-files", "-z", "--deleted"));
  for (const file of git("ls-files", "-z", "--cached", "--others", "--exclude-standard")) {
    if (gone.has(file)) continue;
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(projectRoot, file), join(folder, file), { verbatimSymlinks: true });
  }
  mkdirSync(join(folder, "node_modules"));
  for (const name of readdirSync(join(projectRoot, "node_modules")))
    if (!name.startsWith(".vite"))
      symlinkSync(join(projectRoot, "node_modules", name), join(folder, "node_modules", name));
}

/** Whether another user may read the packages, which are where this project is. */
async function isReadable(): Promise<boolean> {
  const packages = join(projectRoot, "node_modules", "vitest", "package.json");
  const options = { uid: NOBODY, gid: NOBODY, cwd: "/", reject: false } as const;
  return !(await execa("test", ["-r", packages], options)).failed;
}

function give(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    lchownSync(join(entry.parentPath, entry.name), NOBODY, NOBODY);
  chownSync(folder, NOBODY, NOBODY);
}
