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
import { stripVTControlCharacters } from "node:util";
import { execa, type Options } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";
import { ensureCli } from "../../tools/setup/pulumi-cli.ts";

// The fast tiers in a clone that somebody uses: with a `.env`, with what `up` has written, as another user than root,
// with settings of all kinds in the environment.

/** Who runs them where this user is root. */
const NOBODY = 65_534;
const ENV = [
  "JWT_SECRET=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
  "SMTP_PASS=a-mail-password",
  "S3_ENDPOINT=https://s3.example.com",
  "S3_BUCKET=mine",
  "REJOURNEY_RELEASE=9.9.9",
];
const TAKEN = { release: "9.9.9", images: { api: `example.com/own/api@sha256:${"1".repeat(64)}` } };

const clone = mkdtempSync(join(tmpdir(), "rejourney-test-"));
const env: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: join(clone, "home"),
  XDG_CACHE_HOME: join(clone, "cache"),
  CI: "true",
  NODE_ENV: "production",
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

beforeAll(async () => {
  const git = (...args: string[]) =>
    execFileSync("git", ["-C", projectRoot, ...args], { encoding: "utf8" })
      .split("\0")
      .slice(0, -1);
  const gone = new Set(git("ls-files", "-z", "--deleted"));
  for (const file of git("ls-files", "-z", "--cached", "--others", "--exclude-standard")) {
    if (gone.has(file)) continue;
    mkdirSync(dirname(join(clone, file)), { recursive: true });
    cpSync(join(projectRoot, file), join(clone, file), { verbatimSymlinks: true });
  }
  mkdirSync(join(clone, "node_modules"));
  for (const name of readdirSync(join(projectRoot, "node_modules")))
    if (!name.startsWith(".vite"))
      symlinkSync(join(projectRoot, "node_modules", name), join(clone, "node_modules", name));
  writeFileSync(join(clone, ".env"), ENV.join("\n"), { mode: 0o600 });
  for (const stack of ["selfhosted", "prod"]) {
    mkdirSync(join(clone, ".rejourney", stack), { recursive: true, mode: 0o700 });
    writeFileSync(join(clone, ".rejourney", stack, "images.json"), JSON.stringify(TAKEN));
  }
  writeFileSync(join(clone, ".rejourney", "passphrase"), "a passphrase\n", { mode: 0o600 });
  mkdirSync(env.HOME!);
  const cli = await ensureCli(() => {});
  // A user of its own has a CLI of its own; here on PATH, so that none is built.
  mkdirSync(join(clone, "bin"));
  cpSync(cli, join(clone, "bin", "pulumi"));
  env.PATH = `${join(clone, "bin")}:${env.PATH}`;
});
afterAll(() => rmSync(clone, { recursive: true, force: true }));

/** Whether another user may read the packages, which lie where this project does. */
async function isReadable(): Promise<boolean> {
  const options = { uid: NOBODY, gid: NOBODY, cwd: "/", reject: false } as const;
  const { failed } = await execa(
    "test",
    ["-r", join(projectRoot, "node_modules", "vitest", "package.json")],
    options,
  );
  return !failed;
}

/** A command of the packages in the clone, to its end: all that it prints. */
async function run(
  command: string,
  args: readonly string[],
  options: Pick<Options, "env" | "uid" | "gid">,
): Promise<string> {
  const common = { cwd: clone, extendEnv: false, preferLocal: true, localDir: projectRoot } as const;
  const { exitCode, all } = await execa(command, args, { ...common, ...options, all: true, reject: false });
  expect(exitCode, all.slice(-6000)).toBe(0);
  return stripVTControlCharacters(all);
}

test("the checks and the manifests' tests pass in a clone that is in use", async () => {
  const { HOME, XDG_CACHE_HOME } = process.env;
  const all = await run("node", ["test/run.ts", "format", "render", "manifests"], {
    env: { ...env, HOME, XDG_CACHE_HOME },
  });
  expect(all).toMatch(/^\d+ passed, 0 failed, 0 skipped$/m);
});

test("the unit tests pass there as another user, too", async () => {
  const asNobody = process.getuid!() === 0 && (await isReadable());
  if (asNobody) {
    for (const entry of readdirSync(clone, { recursive: true, withFileTypes: true }))
      lchownSync(join(entry.parentPath, entry.name), NOBODY, NOBODY);
    chownSync(clone, NOBODY, NOBODY);
  }
  const user = asNobody ? { uid: NOBODY, gid: NOBODY } : {};
  const all = await run("vitest", ["run", "test/unit", "--reporter=dot"], { env, ...user });
  expect(all).toMatch(/Tests +\d+ passed \(\d+\)/);
}, 400_000);
