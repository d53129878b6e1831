import type { ChildProcess } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { hostname, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../docker/host.ts";
import { ensureCli } from "../../tools/setup/pulumi-cli.ts";
import { STAND_IN } from "../../tools/standins/mark.ts";
import { ended, type FakeDocker, type StateResource, TestProject } from "../project.ts";

let project: TestProject;
let docker: FakeDocker;
beforeAll(() => {
  project = new TestProject();
  docker = project.fakeDocker();
  writeFileSync(
    project.path("Pulumi.selfhosted.yaml"),
    'config:\n  rejourney:target: docker\n  rejourney:release: "1.4.0"\n',
  );
});
afterAll(() => project.remove());

const state = () => project.path(".rejourney", "state");
const locks = () =>
  project.path(".rejourney", "state", ".pulumi", "locks", "organization", "rejourney", "selfhosted");
const heldLocks = () =>
  existsSync(locks()) ? readdirSync(locks()).filter((name) => name.endsWith(".json")) : [];

/** What each resource is by its provider. */
const idsIn = ({ resources }: { resources: readonly StateResource[] }) =>
  resources
    .filter(({ type }) => !type.startsWith("pulumi:"))
    .map(({ urn, id }) => `${urn} ${id}`)
    .sort();

async function until(what: () => boolean): Promise<void> {
  while (!what()) await sleep(50);
}

describe("bad input", () => {
  test.each(["up", "preview"])("ends %s with one message, before anything is made", async (verb) => {
    writeFileSync(project.path(".env"), "STORAGE_ENCRYPTION_KEY=abc\nJWT_SECRT=x\n");
    const { status, stderr } = await project.rejourney([verb]);
    rmSync(project.path(".env"));
    expect(status).toBe(1);
    expect(stderr).toMatch(/^2 problems in the settings; nothing was changed.\n/);
    expect(existsSync(project.path(".rejourney"))).toBe(false);
  });

  test("of the machine is told at once, before anything is made", async () => {
    const other = createServer().listen(0);
    const { port } = other.address() as AddressInfo;
    const original = project.read("Pulumi.selfhosted.yaml");
    const ports = [`httpPort: ${port}`, `httpsPort: ${await freePort()}`];
    const lines = ["domain: nowhere.invalid", "acmeEmail: you@example.com", ...ports];
    const text = lines.map((line) => `  rejourney:${line}\n`).join("");
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), original + text);
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), original);
    other.close();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    const noRecord = (host: string) =>
      `  ${host} has no DNS record, so no certificate can be issued for it.\n` +
      "    Fix: add an A record with the address of the Docker host, or correct rejourney:domain in Pulumi.selfhosted.yaml\n";
    expect(stderr.slice(stderr.indexOf("The Docker host"))).toBe(
      `The Docker host is not ready; nothing was changed.\n${["", "api.", "ingest.", "s3."].map((part) => noRecord(`${part}nowhere.invalid`)).join("")}` +
        `  port ${port} is in use by another program.\n` +
        `    Fix: stop that program (ss -ltnp 'sport = :${port}' shows it), or set rejourney:httpPort in Pulumi.selfhosted.yaml\n`,
    );
    expect(existsSync(project.path(".rejourney"))).toBe(false);
  });

  test("that only the engine can read ends with the same message, and no resource is made", async () => {
    expect((await project.rejourney(["preview"])).status).toBe(0); // makes the passphrase and the empty stack
    const set = ["config", "set", "--secret", "rejourney:JWT_SECRET", "too-short", "--stack", "selfhosted"];
    expect((await project.pulumi(...set)).status).toBe(0);
    const { status, stderr } = await project.rejourney(["up"]);
    const unset = ["config", "rm", "rejourney:JWT_SECRET", "--stack", "selfhosted"];
    expect((await project.pulumi(...unset)).status).toBe(0);
    expect(status).toBe(1);
    expect(stderr).toContain("JWT_SECRET is shorter than 32 bytes.");
    expect(stderr).not.toContain("too-short");
    expect(stderr).not.toMatch(/^\s+at /m);
    expect((await project.state()).resources.filter(({ type }) => type.startsWith("random:"))).toEqual([]);
  });

  test("for a cluster that is not known makes no state of it", async () => {
    const nowhere = { KUBECONFIG: project.path("missing") };
    const { status, stderr } = await project.rejourney(["up", "--stack", "prod"], nowhere);
    expect(status).toBe(1);
    expect(stderr).toContain("The cluster of the stack prod cannot be found: the kubeconfig is not readable");
    expect([...project.files(".rejourney").keys()].filter((path) => path.includes("prod"))).toEqual([]);
  });
});

describe("the passphrase", () => {
  beforeAll(async () => void (await project.json("up")));

  test.each(["up", "preview", "down --yes"])("that is wrong ends %s, and changes nothing", async (verb) => {
    const before = project.files(".rejourney/state/.pulumi/stacks");
    const { status, stderr } = await project.rejourney(verb.split(" "), {
      PULUMI_CONFIG_PASSPHRASE: "wrong",
    });
    expect(status).toBe(1);
    expect(stderr).toContain(
      "This passphrase does not decrypt the state; nothing was changed.\n  Fix: unset PULUMI_CONFIG_PASSPHRASE and ",
    );
    expect(project.files(".rejourney/state/.pulumi/stacks")).toEqual(before);
  });

  test.each([
    ["a variable", { PULUMI_CONFIG_PASSPHRASE: "" }],
    ["a file that is not there", { PULUMI_CONFIG_PASSPHRASE_FILE: "/nowhere/passphrase" }],
  ])("that is empty, by %s, encrypts nothing", async (_, env) => {
    const fresh = new TestProject();
    fresh.fakeDocker();
    try {
      const { status, stderr } = await fresh.rejourney(["up"], env);
      expect({ status, stderr }).toMatchObject({ status: 1 });
      expect(stderr).toContain(
        "The passphrase of the state is empty, so its secrets would not be encrypted; nothing was changed.\n  Fix: unset ",
      );
      expect(fresh.exists(".rejourney", "state")).toBe(false);
    } finally {
      fresh.remove();
    }
  });

  test("that is lost is not made anew", async () => {
    const before = project.files(".rejourney/state/.pulumi/stacks");
    const passphrase = project.read(".rejourney", "passphrase");
    rmSync(project.path(".rejourney", "passphrase"));
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The passphrase for .rejourney/state/.pulumi/stacks/rejourney/selfhosted.json is missing; nothing was changed.",
    );
    expect(existsSync(project.path(".rejourney", "passphrase"))).toBe(false);
    expect(project.files(".rejourney/state/.pulumi/stacks")).toEqual(before);
    writeFileSync(project.path(".rejourney", "passphrase"), passphrase, { mode: 0o600 });
    expect((await project.rejourney(["preview"])).status).toBe(0);
  });
});

describe("a run that is ended in the middle", () => {
  const settings = () => project.read("Pulumi.selfhosted.yaml");
  let original: string;
  let secrets: Record<string, string>;

  beforeAll(async () => {
    original = settings();
    secrets = await project.secrets();
  });

  /** Starts a run that changes the port, and returns it once it waits for its migration, in the middle of its work. */
  async function held(port: number): Promise<ChildProcess> {
    docker.hold();
    writeFileSync(
      project.path("Pulumi.selfhosted.yaml"),
      original.replace("config:", `config:\n  rejourney:httpPort: ${port}`),
    );
    const child = project.start(["up"]);
    await until(() => docker.isAtWork());
    return child;
  }

  afterEach(async () => {
    docker.release();
    expect(heldLocks()).toEqual([]);
    expect(await project.secrets()).toEqual(secrets);
    const { pending_operations: pending = [] } = await project.state();
    expect(pending).toEqual([]);
  });

  test("by SIGKILL, with all it started: the next run clears the lock and goes on", async () => {
    const child = await held(8081);
    process.kill(-child.pid!, "SIGKILL");
    await ended(child);
    expect(heldLocks()).toHaveLength(1);
    docker.release();
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^1 updated, \d+ unchanged\n/);
    expect(stderr).toContain("Removing the lock of a run that no longer exists");
    expect(stderr).toContain("The previous run was interrupted; resuming from where it stopped.");
    expect(docker.up()).toContain("127.0.0.1:8081:");
  });

  test("by SIGKILL, alone: its engine goes on, and the next run waits for that", async () => {
    const child = await held(8082);
    child.kill("SIGKILL");
    const next = project.start(["up"]);
    let told = "";
    next.stderr!.on("data", (text: Buffer) => (told += text.toString()));
    const result = ended(next);
    await until(() => told.includes("waiting for it to end") || next.exitCode !== null);
    docker.release();
    const { status, stdout } = await result;
    expect(status).toBe(0);
    expect(told).toContain("is changing this stack; waiting for it to end");
    expect(stdout).toMatch(/^(1 updated, )?\d+ unchanged\n/);
    expect(docker.up()).toContain("127.0.0.1:8082:");
  });

  test("by SIGTERM: it ends what it runs, keeps the state whole, and the next run goes on", async () => {
    const child = await held(8083);
    child.kill("SIGTERM");
    const { status, stderr } = await ended(child);
    expect(status).toBe(1);
    expect(stderr).toContain("Stopping after the current step");
    expect(stderr).toContain("The same command resumes from here.");
    expect(heldLocks()).toEqual([]);
    docker.release();
    expect(docker.up()).not.toContain("8083");
    expect((await project.rejourney(["up"])).status).toBe(0);
    expect(docker.up()).toContain("127.0.0.1:8083:");
  });
});

describe("the lock of another host", () => {
  test("is left, and named", async () => {
    mkdirSync(locks(), { recursive: true });
    const lock = {
      pid: 1,
      username: "ops",
      hostname: `not-${hostname()}`,
      timestamp: "2026-01-01T00:00:00Z",
    };
    const file = `${locks()}/elsewhere.json`;
    writeFileSync(file, JSON.stringify(lock));
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      new RegExp(
        `ops on not-${hostname()} \\(process 1\\) has locked the state of the stack selfhosted since 2026-01-01T00:00:00Z, \\d+ hours ago; nothing was changed\\.\\n {2}Fix: wait for that run; if it is no longer active: npm run pulumi -- cancel --yes --stack selfhosted`,
      ),
    );
    expect(existsSync(file)).toBe(true);
    rmSync(file);
  });
});

describe("a state that another run changes between an export and an import of it", () => {
  test("is left as that run has it", async () => {
    const pulumi = await ensureCli(() => {});
    const file = `${state()}/.pulumi/stacks/rejourney/selfhosted.json`;
    // A run elsewhere that ends right after each export.
    const script = `#!/bin/sh
case "$*" in
  "stack export"*) ${pulumi} "$@"; status=$?; sed -i -E 's/("time": *")[0-9]{4}/\\1'$((1000 + $$ % 9000))'/' ${file}; exit $status ;;
  *) exec ${pulumi} "$@" ;;
esac
`;
    writeFileSync(project.path("bin", "pulumi"), script, { mode: 0o755 });
    const rotate = ["secrets", "rotate", "JWT_SECRET", "--yes"];
    const { status, stderr } = await project.rejourney(rotate);
    rmSync(project.path("bin", "pulumi"));
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toContain(
      "Another run has changed the state of the stack selfhosted meanwhile; nothing was changed. Retry when it has ended.",
    );
    const { JWT_SECRET: before } = await project.secrets();
    const again = await project.rejourney(rotate);
    expect(again.status, again.stderr).toBe(0);
    expect((await project.secrets()).JWT_SECRET).not.toBe(before);
  });
});

describe("the folder of another user", () => {
  test("is not called absent", async () => {
    const isRoot = process.getuid!() === 0;
    // Root drops its rights once everything is loaded: the packages may lie where another user does not get.
    const script = `
      const { needOwnFolder } = await import("./cli/state/folder.ts");
      needOwnFolder();
      if (${isRoot}) { process.setgid(65534); process.setuid(65534); }
      try { needOwnFolder(); } catch ({ message }) { console.log(message); }`;
    chmodSync(project.folder, 0o755);
    if (!isRoot) chmodSync(project.path(".rejourney"), 0);
    const { stdout } = await project.run(process.execPath, ["--input-type=module", "--eval", script]);
    chmodSync(project.path(".rejourney"), 0o700);
    const folder = project.path(".rejourney");
    expect(stdout).toBe(
      `This deployment belongs to ${userInfo().username}, and this user has no access to ${folder}; nothing was changed.
  Fix: run the command as that user, or: sudo chown -R ${isRoot ? 65534 : process.getuid!()} ${folder}
`,
    );
  });

  test("that others may enter is warned of", async () => {
    chmodSync(project.path(".rejourney"), 0o755);
    const { stderr } = await project.rejourney(["status"]);
    chmodSync(project.path(".rejourney"), 0o700);
    const folder = project.path(".rejourney");
    expect(stderr).toContain(
      `Warning: other users of this machine have access to ${folder}: chmod 700 ${folder}\n`,
    );
  });
});

describe("stand-ins for Pulumi's own plugins", () => {
  const asked = { REJOURNEY_STAND_INS: "true" };
  const file = () => `${state()}/.pulumi/stacks/rejourney/selfhosted.json`;

  /** Plugins without the mark of a stand-in on PATH, in the place of the official ones, which no registry has. */
  function withOwnPlugins(): NodeJS.ProcessEnv {
    const copy = project.path("own");
    cpSync(project.path("tools", "standins"), join(copy, "tools"), { recursive: true });
    symlinkSync(project.path("node_modules"), join(copy, "node_modules"));
    writeFileSync(join(copy, "tools", "mark.ts"), 'export const STAND_IN = "own";\n');
    const folders = ["random", "command"].map((name) => join(copy, "tools", "bin", name));
    return { PATH: [...folders, project.path("bin"), process.env.PATH].join(delimiter) };
  }

  test("do not take over a state that the plugins wrote", async () => {
    expect(await project.rejourney(["up"], asked)).toMatchObject({ status: 0 });
    const text = readFileSync(file(), "utf8");
    expect(text).toContain(`"${STAND_IN}":true`);
    writeFileSync(file(), text.replaceAll(`"${STAND_IN}":true,`, ""));
    const { status, stderr } = await project.rejourney(["up"], asked);
    writeFileSync(file(), text);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "This state was written with Pulumi's own plugins, but only stand-ins are available here for: random, command; nothing was changed.",
    );
  });

  test("are followed by the plugins: the same resources, the same secrets", async () => {
    const before = { ids: idsIn(await project.state()), secrets: await project.secrets() };
    const up = await project.rejourney(["up"], withOwnPlugins());
    expect(up).toMatchObject({ status: 0 });
    expect(up.stderr).toContain(
      "This state was written with stand-ins; from now on Pulumi's own plugins manage it: random, command.",
    );
    expect(up.stdout).toMatch(/^\d+ unchanged$/m);
    expect({ ids: idsIn(await project.state()), secrets: await project.secrets() }).toEqual(before);
    expect(readFileSync(file(), "utf8")).not.toContain(STAND_IN);
    // And never back.
    expect(await project.rejourney(["up"], asked)).toMatchObject({ status: 1 });
    writeFileSync(file(), readFileSync(file(), "utf8").replaceAll('"own":true', `"${STAND_IN}":true`));
  });

  test("do not deploy a public domain", async () => {
    const settings = project.read("Pulumi.selfhosted.yaml");
    const lines = ["domain: replays.rejourney.dev", "acmeEmail: you@example.com"];
    const text = ["config:", ...lines.map((line) => `  rejourney:${line}`)].join("\n");
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), settings.replace("config:", text));
    const { status, stdout, stderr } = await project.rejourney(["preview"], asked);
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), settings);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(
      "Pulumi's own plugins are not available here (the language host, random, command), and stand-ins must not deploy replays.rejourney.dev; nothing was changed.",
    );
  });
});

describe("a network that Docker Engine does not let go", () => {
  test("stays behind, and is named", async () => {
    docker.failingDown("failed to remove network own_edge: network own_edge id 1 has active endpoints");
    const { status, stdout, stderr } = await project.rejourney(["down", "--yes"]);
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: expect.stringContaining("Data and secrets are kept.") as string,
    });
    expect(stderr).toContain("Docker Engine does not remove the network own_edge: it still counts");
    expect(stderr).toContain("docker network rm own_edge");
  });
});

test("a down that fails for another reason ends with exit 1, and the same command goes on", async () => {
  expect((await project.rejourney(["up"])).status).toBe(0);
  docker.failingDown("Error response from daemon: no space left on device");
  const { status, stderr } = await project.rejourney(["down", "--yes"]);
  expect(status).toBe(1);
  expect(stderr).toContain("no space left on device");
  expect(stderr).toContain("docker compose down exited with code 1.");
  docker.failingDown(undefined);
  expect((await project.rejourney(["down", "--yes"])).status).toBe(0);
});
