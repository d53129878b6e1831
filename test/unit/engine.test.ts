import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inWords } from "../../cli/engine/pulumi-cli.ts";
import { checksumOf } from "../../tools/setup/checksums.ts";
import { PLUGINS } from "../../tools/setup/plugins.ts";
import { projectRoot } from "../../infra/settings/sources.ts";

// Where the Pulumi CLI is looked for, with programs that only answer what is asked here.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A `pulumi` of a version in `place`, with a language host beside it; it records what `plugin install` is asked for. */
function cli(place: string, { version = VERSION, status = 0 } = {}): string {
  const script = `#!/bin/sh
[ "$1" = version ] && echo v${version} && exit
echo "$@" >> ${join(folder, "asked")}
echo "error: no room" >&2
exit ${status}
`;
  mkdirSync(join(folder, place), { recursive: true });
  for (const name of ["pulumi", "pulumi-language-nodejs"])
    writeFileSync(join(folder, place, name), script, { mode: 0o755 });
  return join(folder, place, "pulumi");
}

interface Machine {
  /** Folders on PATH. */
  path?: readonly string[];
  /** Whether any server answers. */
  online?: boolean;
  plugins?: readonly string[];
  env?: NodeJS.ProcessEnv;
}

/** What `ensureEngine` finds or throws. */
function ensured({ path = [], online = true, plugins = ["random", "command"], env }: Machine = {}) {
  const module = join(projectRoot, "tools", "setup", "engine.ts");
  const script = `
    globalThis.fetch = () => ${online ? "Promise.resolve(new Response())" : 'Promise.reject(new Error("offline"))'};
    const { ensureEngine } = await import(${JSON.stringify(module)});
    const found = await ensureEngine(${JSON.stringify(plugins)}, () => {}).catch(({ message }) => message);
    console.log(JSON.stringify(found));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: {
      PATH: [...path.map((place) => join(folder, place)), dirname(process.execPath), "/bin"].join(delimiter),
      XDG_CACHE_HOME: join(folder, "cache"),
      PULUMI_HOME: join(folder, "home"),
      ...env,
    },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as unknown;
}

const versionOf = (name: string) =>
  (createRequire(import.meta.url)(`@pulumi/${name}/package.json`) as { version: string }).version;
const VERSION = versionOf("pulumi");
const OFFICIAL = `cache/rejourney/pulumi-${VERSION}/pulumi`;
const asked = () =>
  existsSync(join(folder, "asked")) ? readFileSync(join(folder, "asked"), "utf8").trim().split("\n") : [];
const install = (name: string) =>
  expect.stringMatching(
    new RegExp(`^plugin install resource ${name} ${versionOf(name)} --checksum [0-9a-f]{64}$`),
  ) as string;

/** Puts a plugin where the engine keeps what it has downloaded. */
function keep(name: string): void {
  const place = join(folder, "home", "plugins", `resource-${name}-v${versionOf(name)}`);
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, `pulumi-resource-${name}`), "");
}

describe("the engine", () => {
  test("is the installed one, whose plugins are installed once, and none that nothing needs", () => {
    const pulumi = cli("bin");
    expect(ensured({ path: ["bin"] })).toEqual({ pulumi, standIns: [] });
    expect(asked()).toEqual(["random", "command"].map(install));
    for (const name of ["random", "command"]) keep(name);
    expect(ensured({ path: ["bin"] })).toEqual({ pulumi, standIns: [] });
    expect(asked()).toHaveLength(2);
  });

  test("has a stand-in for each plugin that is missing while no server is within reach, and for no other", () => {
    const pulumi = cli("bin");
    keep("command");
    expect(ensured({ path: ["bin"], online: false })).toEqual({ pulumi, standIns: ["random"] });
    expect(asked()).toEqual([]);
  });

  test("does not take a plugin that is half installed for a whole one", () => {
    const pulumi = cli("bin");
    for (const name of ["random", "command"]) keep(name);
    const half = join(folder, "home", "plugins", `resource-random-v${versionOf("random")}.partial`);
    writeFileSync(half, "");
    expect(ensured({ path: ["bin"], online: false })).toEqual({ pulumi, standIns: ["random"] });
    ensured({ path: ["bin"] });
    expect(asked()).toEqual([install("random")]);
  });

  test("finds the language host beside a CLI that PATH leads to by a link", () => {
    cli("real");
    mkdirSync(join(folder, "bin"));
    const pulumi = join(folder, "bin", "pulumi");
    symlinkSync(join(folder, "real", "pulumi"), pulumi);
    expect(ensured({ path: ["bin"], plugins: [], online: false })).toEqual({ pulumi, standIns: [] });
  });

  test("has a stand-in for the language host alone, where only that is missing", () => {
    const pulumi = cli("bin");
    rmSync(join(folder, "bin", "pulumi-language-nodejs"));
    for (const name of ["random", "command"]) keep(name);
    expect(ensured({ path: ["bin"], online: false })).toEqual({ pulumi, standIns: ["nodejs"] });
  });

  test("stops with the reason when a plugin's download fails three times", () => {
    cli("bin", { status: 1 });
    keep("random");
    expect(ensured({ path: ["bin"] })).toBe(
      `Installing Pulumi's plugin command ${versionOf("command")} failed 3 times; the last time: error: no room`,
    );
    expect(asked()).toEqual(["command", "command", "command"].map(install));
  });

  test("has a pinned checksum for the CLI and every plugin on Linux", () => {
    const archives = ["x64", "arm64"].map((arch) => `pulumi-v${VERSION}-linux-${arch}`);
    for (const name of PLUGINS)
      for (const arch of ["amd64", "arm64"])
        archives.push(`pulumi-resource-${name}-v${versionOf(name)}-linux-${arch}`);
    const sums = archives.map((archive) => checksumOf(archive, ""));
    for (const sum of sums) expect(sum).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(sums).size).toBe(archives.length);
    expect(() => checksumOf("pulumi-v3.0.0-linux-x64", "install it")).toThrow(
      "pulumi-v3.0.0-linux-x64 cannot be checked, because no checksum of it is pinned here.\n  Fix: install it, then retry",
    );
  });

  test("takes stand-ins where they are asked for, whatever is installed", () => {
    const pulumi = cli("bin");
    for (const name of ["random", "command", "kubernetes"]) keep(name);
    const env = { REJOURNEY_STAND_INS: "true" };
    expect(ensured({ path: ["bin"], env })).toEqual({ pulumi, standIns: ["nodejs", "random", "command"] });
    expect(ensured({ path: ["bin"], env: { REJOURNEY_STAND_INS: "yes" } })).toContain(
      "REJOURNEY_STAND_INS must be true or false.",
    );
    expect(ensured({ path: ["bin"], env, plugins: ["random", "kubernetes"] })).toEqual({
      pulumi,
      standIns: ["nodejs", "random"],
    });
  });

  test("has no stand-in for a plugin that would change something at somebody else's", () => {
    cli("bin");
    expect(ensured({ path: ["bin"], online: false, plugins: ["cloudflare"] })).toMatch(
      /^Pulumi's plugin cloudflare \S+ is not installed, and its download server is not within reach\.\n {2}Fix: /,
    );
  });

  test.each(["3.249.0", "2.300.0", "4.0.0"])("is not an installed one of version %s", (version) => {
    cli("bin", { version });
    const pulumi = cli(OFFICIAL);
    expect(ensured({ path: ["bin"] })).toEqual({ pulumi, standIns: [] });
  });

  test("is the one that was downloaded before, where none is installed", () => {
    const pulumi = cli(OFFICIAL);
    expect(ensured()).toEqual({ pulumi, standIns: [] });
  });
});

test("a command of the engine that was stopped is told in words", async () => {
  const stopped = execa("/bin/sh", ["-c", "kill -INT $$"]);
  await expect(inWords(stopped)).rejects.toThrow("This was interrupted. The same command resumes from here.");
});
