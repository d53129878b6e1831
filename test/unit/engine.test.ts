import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inWords } from "../../cli/engine/pulumi-cli.ts";
import { projectRoot } from "../../infra/settings/sources.ts";

// Where the Pulumi CLI is looked for, with programs that only answer what is asked here.

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A `pulumi` of a version in `place`, with a language host beside it, whose `plugin install` ends with `status`. */
function cli(place: string, { version, status = 0 }: { version: string; status?: number }): string {
  const script = `#!/bin/sh
[ "$1" = version ] && echo v${version} && exit
echo "$@" >> ${join(folder, "asked")}
exit ${status}
`;
  mkdirSync(join(folder, place), { recursive: true });
  for (const name of ["pulumi", "pulumi-language-nodejs"])
    writeFileSync(join(folder, place, name), script, { mode: 0o755 });
  return join(folder, place, "pulumi");
}

function found(...path: string[]): unknown {
  const module = join(projectRoot, "tools", "setup", "engine.ts");
  const script = `const { ensureEngine } = await import(${JSON.stringify(module)});
    console.log(JSON.stringify(await ensureEngine(() => {})));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    env: {
      PATH: [...path.map((place) => join(folder, place)), dirname(process.execPath), "/bin"].join(delimiter),
      XDG_CACHE_HOME: join(folder, "cache"),
      PULUMI_HOME: join(folder, "home"),
    },
  });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

const versionOf = (name: string) =>
  (createRequire(import.meta.url)(`@pulumi/${name}/package.json`) as { version: string }).version;
const PLUGINS = ["random", "command", "kubernetes"];
const OFFICIAL = "cache/rejourney/pulumi-3.250.0/pulumi";

describe("the engine", () => {
  test("is the installed one, whose plugins are installed once", () => {
    const pulumi = cli("bin", { version: "3.260.1" });
    expect(found("bin")).toEqual({ pulumi, standIns: false });
    const asked = PLUGINS.map((name) => `plugin install resource ${name} ${versionOf(name)}\n`);
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe(asked.join(""));
    for (const name of PLUGINS)
      mkdirSync(join(folder, "home", "plugins", `resource-${name}-v${versionOf(name)}`), { recursive: true });
    expect(found("bin")).toEqual({ pulumi, standIns: false });
    expect(readFileSync(join(folder, "asked"), "utf8")).toBe(asked.join(""));
  });

  test("takes stand-ins where a plugin cannot be installed", () => {
    const pulumi = cli("bin", { version: "3.250.0", status: 1 });
    expect(found("bin")).toEqual({ pulumi, standIns: true });
  });

  test("takes stand-ins where there is no language host but their own", () => {
    const pulumi = cli("bin", { version: "3.250.0" });
    rmSync(join(folder, "bin", "pulumi-language-nodejs"));
    expect(found("bin")).toEqual({ pulumi, standIns: true });
  });

  test.each(["3.249.0", "2.300.0", "4.0.0"])("is not an installed one of version %s", (version) => {
    cli("bin", { version });
    const pulumi = cli(OFFICIAL, { version: "3.250.0" });
    expect(found("bin")).toEqual({ pulumi, standIns: false });
  });

  test("is the one that was downloaded before, where none is installed", () => {
    const pulumi = cli(OFFICIAL, { version: "3.250.0" });
    expect(found()).toEqual({ pulumi, standIns: false });
  });
});

test("a command of the engine that was stopped is told in words", async () => {
  const stopped = execa("/bin/sh", ["-c", "kill -INT $$"]);
  await expect(inWords(stopped)).rejects.toThrow("This was interrupted. The same command resumes from here.");
});
