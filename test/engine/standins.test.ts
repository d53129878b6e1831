import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";
import { standInFolder } from "../../tools/setup/engine.ts";
import { ensureCli } from "../../tools/setup/pulumi-cli.ts";
import { ended, type Ran } from "../project.ts";

// The stand-ins on the real engine, with small programs: what they do, and what they refuse. The engine takes them
// from PATH wherever they are on it, also on a machine that has the official plugins.

let folder: string;
let env: NodeJS.ProcessEnv;
const stateFile = () => readFileSync(join(folder, "state/.pulumi/stacks/trial/dev.json"), "utf8");
const command = () =>
  (JSON.parse(stateFile()) as State).checkpoint.latest.resources?.find(({ urn }) => urn.endsWith("::it"));

interface State {
  checkpoint: {
    latest: {
      resources?: { urn: string; inputs: Record<string, unknown>; outputs: Record<string, unknown> }[];
    };
  };
}

async function pulumi(...args: string[]): Promise<Ran> {
  return ended(spawn("pulumi", args, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] }));
}

/** `pulumi up` of a program; both outputs together. */
async function up(program: string): Promise<{ status: Ran["status"]; shown: string }> {
  const head =
    'import * as pulumi from "@pulumi/pulumi";\nimport * as command from "@pulumi/command";\nimport * as random from "@pulumi/random";\n';
  writeFileSync(join(folder, "index.ts"), `${head}${program}\n`);
  const { status, stdout, stderr } = await pulumi("up", "--yes", "--skip-preview", "--stack", "dev");
  return { status, shown: stdout + stderr };
}

const it = (args: string) => `export const it = new command.local.Command("it", ${args}).stdout;`;

beforeAll(async () => {
  const pulumi = await ensureCli(() => {});
  folder = mkdtempSync(join(tmpdir(), "rejourney-test-"));
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    "name: trial\nmain: index.ts\nruntime:\n  name: nodejs\n  options: { typescript: false }\n",
  );
  env = {
    PATH: [
      ...(["nodejs", "random", "command"] as const).map(standInFolder),
      join(projectRoot, "node_modules/.bin"),
      dirname(pulumi),
      process.env.PATH,
    ].join(delimiter),
    HOME: process.env.HOME,
    PULUMI_HOME: join(folder, "home"),
    PULUMI_BACKEND_URL: `file://${folder}/state`,
    PULUMI_CONFIG_PASSPHRASE: "only for this test",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(async () => {
  rmSync(join(folder, "state"), { recursive: true, force: true });
  mkdirSync(join(folder, "state"));
  expect((await pulumi("stack", "init", "dev")).status).toBe(0);
});

describe("the command stand-in", () => {
  test("runs create, then update with what was printed before, then delete", async () => {
    const file = join(folder, "seen");
    const args = (marker: string) =>
      `{ create: "echo made ${marker}", update: 'echo "updated ${marker} after: $PULUMI_COMMAND_STDOUT"', delete: "echo gone >> ${file}" }`;
    expect((await up(it(args("one")))).status).toBe(0);
    expect(command()!.outputs.stdout).toBe("made one");
    expect((await up(it(args("one")))).shown).toContain("2 unchanged");
    expect((await up(it(args("two")))).status).toBe(0);
    expect(command()!.outputs.stdout).toBe("updated two after: made one");
    expect((await pulumi("destroy", "--yes", "--skip-preview", "--stack", "dev")).status).toBe(0);
    expect(readFileSync(file, "utf8")).toBe("gone\n");
  });

  test("hands secrets over, and keeps them from state and output", async () => {
    const program = (marker: string) =>
      it(`{ create: 'cat > stdin; echo "$HIDDEN" > variable; echo ${marker}', dir: "${folder}",
        stdin: pulumi.secret("do-not-show-1"), environment: pulumi.secret({ HIDDEN: "do-not-show-2" }) }`);
    for (const marker of ["created", "updated"]) {
      const { status, shown } = await up(program(marker));
      expect(status, shown).toBe(0);
      expect(command()!.outputs.stdout).toBe(marker);
      expect(readFileSync(join(folder, "stdin"), "utf8")).toBe("do-not-show-1");
      expect(readFileSync(join(folder, "variable"), "utf8")).toBe("do-not-show-2\n");
      expect(shown + stateFile()).not.toContain("do-not-show");
    }
  });

  test("fails with the end of what was printed, keeps the state as it was, and tries again", async () => {
    const noisy = 'i=0; while [ $i -lt 3000 ]; do echo "line $i of a long story"; i=$((i+1)); done';
    const failed = await up(it(JSON.stringify({ create: `${noisy}; echo the last straw >&2; exit 3` })));
    expect(failed.status).not.toBe(0);
    expect(failed.shown).toContain("exit status 3");
    expect(failed.shown).toContain("the last straw");
    expect(command()).toBeUndefined();
    expect((await up(it('{ create: "echo made" }'))).status).toBe(0);
    const worse = await up(it('{ create: "echo made", update: "echo worse >&2; exit 1" }'));
    expect(worse.status).not.toBe(0);
    expect(worse.shown).toContain("worse");
    expect(command()!.inputs).toEqual({ create: "echo made" });
    expect((await up(it('{ create: "echo made", update: "echo better" }'))).status).toBe(0);
    expect(command()!.outputs.stdout).toBe("better");
  });

  test("refuses an input and a resource that it does not implement", async () => {
    const input = await up(it('{ create: "true", archivePaths: ["*"] }'));
    expect(input.status).not.toBe(0);
    expect(input.shown).toContain("the stand-in does not know this input");
    const resource = await up('new command.local.Run("it", { command: "true" });');
    expect(resource.status).not.toBe(0);
    expect(command()).toBeUndefined();
  });
});

describe("the random stand-in", () => {
  test("draws from the kinds that are allowed, and replaces when one changes", async () => {
    const password = (args: string) => `new random.RandomPassword("it", ${args});`;
    const value = async () => {
      const { stdout } = await pulumi("stack", "export", "--show-secrets", "--stack", "dev");
      const { deployment } = JSON.parse(stdout) as { deployment: State["checkpoint"]["latest"] };
      const { result } = deployment.resources!.find(({ urn }) => urn.endsWith("::it"))!.outputs;
      return JSON.parse((result as { plaintext: string }).plaintext) as string;
    };
    const hex = '{ length: 300, lower: false, upper: false, special: true, overrideSpecial: "abcdef" }';
    expect((await up(password(hex))).status).toBe(0);
    const first = await value();
    expect(first).toMatch(/^[0-9a-f]{300}$/);
    expect(new Set(first).size).toBe(16);
    expect((await up(password(hex))).shown).toContain("2 unchanged");
    expect(await value()).toBe(first);
    expect((await up(password("{ length: 40, special: false }"))).shown).toContain("1 replaced");
    expect(await value()).toMatch(/^[0-9a-zA-Z]{40}$/);
    expect((await up("new random.RandomString('other', { length: 8 });")).shown).toContain(
      "the stand-in does not know",
    );
  });
});

describe("the language host stand-in", () => {
  test("fails the run with what the program throws", async () => {
    const thrown = await up('throw new Error("not today");');
    expect(thrown.status).not.toBe(0);
    expect(thrown.shown).toContain("not today");
    const said = await up('throw new pulumi.RunError("said plainly");');
    expect(said.status).not.toBe(0);
    expect(said.shown).toContain("said plainly");
    expect(said.shown).not.toMatch(/^\s+at /m);
  });
});
