import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { STAND_IN } from "../../tools/standins/mark.ts";
import { ended, TestProject } from "../project.ts";

let project: TestProject;
beforeAll(() => {
  project = new TestProject();
});
afterAll(() => project.remove());

const state = () => project.path(".rejourney", "state");
const locks = () =>
  project.path(".rejourney", "state", ".pulumi", "locks", "organization", "rejourney", "selfhosted");
const heldLocks = () =>
  existsSync(locks()) ? readdirSync(locks()).filter((name) => name.endsWith(".json")) : [];

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

  test("for a stack that is a cluster makes no state of it", async () => {
    const { status, stderr } = await project.rejourney(["up", "--stack", "prod"]);
    expect(status).toBe(1);
    expect(stderr).toContain("rejourney:target is not docker");
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
    expect(stderr).toContain("The passphrase is not the one that encrypts this state; nothing was changed.");
    expect(project.files(".rejourney/state/.pulumi/stacks")).toEqual(before);
  });

  test("that is lost is not made anew", async () => {
    const before = project.files(".rejourney/state/.pulumi/stacks");
    const passphrase = project.read(".rejourney", "passphrase");
    rmSync(project.path(".rejourney", "passphrase"));
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The passphrase that encrypts the state of selfhosted is not here; nothing was changed.",
    );
    expect(existsSync(project.path(".rejourney", "passphrase"))).toBe(false);
    expect(project.files(".rejourney/state/.pulumi/stacks")).toEqual(before);
    writeFileSync(project.path(".rejourney", "passphrase"), passphrase, { mode: 0o600 });
    expect((await project.rejourney(["preview"])).status).toBe(0);
  });
});

describe("a run that is killed", () => {
  const apply = () => project.path("infra", "docker", "apply.ts");
  let original: string;
  /** Makes the command wait at its start, and say so, until `go` exists. */
  function hold(): void {
    original = project.read("infra", "docker", "apply.ts");
    const wait = `import { existsSync as go } from "node:fs";\nwriteFileSync("at-work", "");\nwhile (!go("go")) await new Promise((done) => setTimeout(done, 50));\n`;
    writeFileSync(apply(), original.replace(/^(?=const file = )/m, wait));
    writeFileSync(
      project.path("Pulumi.selfhosted.yaml"),
      project.read("Pulumi.selfhosted.yaml").replace("config:\n", "config:\n  rejourney:httpPort: 8081\n"),
    );
  }
  function release(): void {
    writeFileSync(project.path("go"), "");
    writeFileSync(apply(), original);
  }
  function clean(): void {
    for (const name of ["go", "at-work"]) rmSync(project.path(name), { force: true });
  }

  test("with all it started leaves a lock, which the next run clears, and goes on with the same secrets", async () => {
    const secrets = await project.secrets();
    hold();
    const child = project.start(["up"]);
    await until(() => existsSync(project.path("at-work")));
    process.kill(-child.pid!, "SIGKILL");
    await ended(child);
    expect(heldLocks()).toHaveLength(1);
    // The lock's process is what counts, so the engine has to be dead too.
    release();
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect({ status, first: stdout.split("\n")[0] }).toEqual({
      status: 0,
      first: expect.stringContaining("1 updated") as string,
    });
    expect(stderr).toContain("Removing the lock of a run that is dead");
    expect(stderr).toContain("The run before was ended in the middle; going on from where it stopped.");
    expect(heldLocks()).toEqual([]);
    expect(await project.secrets()).toEqual(secrets);
    expect((await project.state()).pending_operations ?? []).toEqual([]);
    expect(project.read(".rejourney", "selfhosted", "docker-compose.yml")).toContain("127.0.0.1:8081:");
    clean();
  });

  test("alone leaves an engine that goes on; the next run waits for it", async () => {
    writeFileSync(
      project.path("Pulumi.selfhosted.yaml"),
      project.read("Pulumi.selfhosted.yaml").replace("  rejourney:httpPort: 8081\n", ""),
    );
    const secrets = await project.secrets();
    hold();
    writeFileSync(
      project.path("Pulumi.selfhosted.yaml"),
      project.read("Pulumi.selfhosted.yaml").replace("8081", "8082"),
    );
    const child = project.start(["up"]);
    await until(() => existsSync(project.path("at-work")));
    child.kill("SIGKILL");
    const next = project.start(["up", "--json"]);
    let told = "";
    next.stderr!.on("data", (text: Buffer) => (told += text.toString()));
    const result = ended(next);
    await until(() => told.includes("works on this stack; waiting") || next.exitCode !== null);
    release();
    const { status, stderr, stdout } = await result;
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("waiting for it to end") as string,
    });
    expect((JSON.parse(stdout) as { summary: object }).summary).not.toHaveProperty("create");
    expect(project.read(".rejourney", "selfhosted", "docker-compose.yml")).toContain("127.0.0.1:8082:");
    expect(await project.secrets()).toEqual(secrets);
    clean();
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
    expect(stderr).toContain(
      `ops on not-${hostname()} holds the state since 2026-01-01T00:00:00Z; nothing was changed.`,
    );
    expect(existsSync(file)).toBe(true);
    rmSync(file);
  });
});

describe("a state that other plugins wrote", () => {
  test("is not taken over", async () => {
    const file = `${state()}/.pulumi/stacks/rejourney/selfhosted.json`;
    const text = project.read(".rejourney", "state", ".pulumi", "stacks", "rejourney", "selfhosted.json");
    const marked = text.includes(`"${STAND_IN}":true`);
    const other = marked
      ? text.replaceAll(`"${STAND_IN}":true,`, "")
      : text.replaceAll('"inputs":{"__internal":{}', `"inputs":{"__internal":{},"${STAND_IN}":true`);
    expect(other).not.toBe(text);
    writeFileSync(file, other);
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      marked
        ? "This state was written with the official plugins, and this machine has stand-ins; nothing was changed."
        : "This state was written with stand-ins, and this machine has the official plugins; nothing was changed.",
    );
    writeFileSync(file, text);
  });
});
