import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GENERATED_SECRETS, SECRET_NAMES } from "../../infra/app/secrets.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import type { ServiceReport } from "../../cli/terminal/service-report.ts";
import { type FakeDocker, type StateResource, TestProject } from "../project.ts";
import { found } from "../search.ts";
import { dockerSettings, GOOD, OTHER } from "../unit/values.ts";

// The life of one stack on the real engine, in order: each test goes on from where the one before left it. Docker is
// told what to bring up, and brings nothing up: test/docker/selfhosted.test.ts does.

let project: TestProject;
let docker: FakeDocker;
let secrets: Record<string, string>;
/** Values that were rotated away. */
const old: Record<string, string> = {};
/** A slot for each, a generator where there is one, the key of the hashes, and what there is to remember of rotations. */
const SECRETS = SECRET_NAMES.length + GENERATED_SECRETS.length + 2;
/** The stack itself, the store, the deployment and its command, and which Docker host it is on. */
const RESOURCES = SECRETS + 5;
const SETTINGS = readFileSync(join(projectRoot, "Pulumi.selfhosted.yaml"), "utf8").replace(
  "config:\n",
  'config:\n  rejourney:release: "1.4.0"\n',
);
const MEMORY = "rejourney:services: { ingest-worker: { memory: 777M } }";
const FROM = "SMTP_FROM=ops@example.com";
const smtp = "a mail password with $HOME, \"quotes\" and 'more'";
const planted = { JWT_SECRET: OTHER, SMTP_PASS: smtp };

interface Result {
  summary: Record<string, number>;
  outputs: Record<string, unknown>;
  services: ServiceReport[];
  repaired: string[];
}

/** The variables that the command gets, which the state holds in plain text. */
function commandInputs({ resources }: { resources: StateResource[] }): Record<string, string> {
  const command = resources.find(({ urn }) => urn.endsWith("::rejourney-compose"))!;
  return command.inputs!.environment as Record<string, string>;
}

const setting = (line: string) =>
  writeFileSync(
    project.path("Pulumi.selfhosted.yaml"),
    SETTINGS.replace("config:\n", `config:\n  ${line}\n`),
  );

beforeAll(() => {
  project = new TestProject();
  docker = project.fakeDocker();
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), SETTINGS);
  writeFileSync(project.path(".env"), `JWT_SECRET=${GOOD}\n${FROM}\n`, { mode: 0o600 });
});
afterAll(() => project.remove());

describe("a stack", () => {
  test("is previewed before its first run, without a change", async () => {
    const { summary } = await project.json<Result>("preview");
    expect(summary).toEqual({ create: RESOURCES });
    expect((await project.state()).resources).toEqual([]);
    expect(docker.up()).toBeUndefined();
  });

  test("is made by the first run, which keeps its passphrase from everybody else", async () => {
    rmSync(project.path(".rejourney"), { recursive: true });
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect({ status, first: stdout.split("\n")[0] }, stderr).toEqual({
      status: 0,
      first: `${RESOURCES} created, 0 unchanged`,
    });
    expect(stderr).toContain("Without it, the state cannot be decrypted");
    expect(statSync(project.path(".rejourney", "passphrase")).mode & 0o777).toBe(0o600);
    expect(statSync(project.path(".rejourney")).mode & 0o777).toBe(0o700);
    // The committed settings stay as they were: no salt of this machine's passphrase.
    expect(project.read("Pulumi.selfhosted.yaml")).toBe(SETTINGS);
  });

  test("is brought up in order: images, data, the migration by itself, then what lasts", () => {
    const calls = docker.calls().filter(({ verb }) => verb !== undefined);
    const done = calls.map(({ verb, args }) => [verb, ...args.slice(args.indexOf(verb!) + 1)].join(" "));
    const up = "up --detach --no-deps --wait --wait-timeout=300";
    expect(done).toEqual([
      "pull --quiet --policy=missing",
      "run --rm --no-deps --no-TTY prepare-volumes",
      `${up} postgres redis storage`,
      "run --rm --no-deps --no-TTY migrate",
      `${up} --remove-orphans`,
    ]);
    const whole = composeProject(dockerSettings({ release: "1.4.0" }, FROM));
    expect(parse(calls[3]!.input!)).toEqual(whole);
    const lasting = Object.entries(whole.services).filter(([, { restart }]) => restart !== "no");
    const free = lasting.map(([name, service]) => [name, { ...service, depends_on: {} }]);
    expect(parse(docker.up()!)).toEqual({ ...whole, services: Object.fromEntries(free) as unknown });
  });

  test("has every secret: from .env, or generated, each by its rule and unlike any other", async () => {
    secrets = await project.secrets();
    expect(Object.keys(secrets).sort()).toEqual([...SECRET_NAMES].sort());
    expect(secrets.JWT_SECRET).toBe(GOOD);
    expect(secrets.STORAGE_ENCRYPTION_KEY).toMatch(/^[0-9a-f]{64}$/);
    for (const name of GENERATED_SECRETS) expect(secrets[name], name).toMatch(/^[0-9a-f]{20,}$/);
    expect(new Set(GENERATED_SECRETS.map((name) => secrets[name])).size).toBe(GENERATED_SECRETS.length);
    expect(secrets.SMTP_PASS).toBe("");
  });

  test("hands them to Docker Compose by its environment alone, with nothing of the caller's", () => {
    const given = Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== ""));
    const { PATH, HOME } = process.env;
    for (const { args, env } of docker.calls().filter(({ verb }) => verb === "up" || verb === "run")) {
      const { PATH: path, ...rest } = env;
      expect(path!.endsWith(PATH!)).toBe(true);
      const docker = Object.entries(rest).filter(([name]) => !name.startsWith("DOCKER_"));
      expect(Object.fromEntries(docker)).toEqual({
        HOME,
        ...(process.env.XDG_RUNTIME_DIR && { XDG_RUNTIME_DIR: process.env.XDG_RUNTIME_DIR }),
        ...(process.env.SSH_AUTH_SOCK && { SSH_AUTH_SOCK: process.env.SSH_AUTH_SOCK }),
        COMPOSE_DISABLE_ENV_FILE: "true",
        ...given,
        DATABASE_URL: `postgresql://rejourney:${secrets.POSTGRES_PASSWORD}@postgres:5432/rejourney`,
        REDIS_URL: `redis://:${secrets.REDIS_PASSWORD}@redis:6379/0`,
      });
      for (const value of Object.values(given)) expect(args.join(" ")).not.toContain(value);
    }
  });

  test("is left alone by a second run", async () => {
    const before = docker.calls().filter(({ verb }) => verb !== undefined).length;
    const { summary, services, repaired } = await project.json<Result>("up");
    expect(summary).toEqual({ same: RESOURCES });
    expect(repaired).toEqual([]);
    expect(services.map(({ status, trouble }) => ({ status, trouble }))).toEqual(
      Array(9).fill({ status: "healthy", trouble: "" }),
    );
    expect(docker.calls().filter(({ verb }) => verb !== undefined)).toHaveLength(before);
  });

  test("shows one changed memory limit as exactly that, and changes exactly that", async () => {
    setting(MEMORY);
    const before = docker.up()!.split("\n");
    const previewed = await project.rejourney(["preview"]);
    expect(previewed.stdout).toBe(`~ rejourney-compose
    SERVICE_INGEST_WORKER:
         - /tmp:size=64m,mode=1777
    -  mem_limit: 768m
    +  mem_limit: 777m
       cpus: 1
1 to update, ${RESOURCES - 1} unchanged
`);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES - 1, update: 1 });
    const after = docker.up()!.split("\n");
    expect(after.filter((line, i) => line !== before[i])).toEqual(["    mem_limit: 777m"]);
    expect(after).toHaveLength(before.length);
  });

  test("keeps the values in use, tells of a source that differs, and takes an optional one that is new", async () => {
    const lines = Object.entries(planted).map(([name, value]) => `${name}=\`${value}\`\n`);
    writeFileSync(project.path(".env"), lines.join("") + FROM, { mode: 0o600 });
    const previewed = await project.rejourney(["preview"]);
    expect(previewed.stdout).toContain("± SMTP_PASS, which was empty, takes the value of its source\n");
    const hashes = commandInputs(await project.state());
    expect((await project.secrets()).SMTP_PASS).toBe("");
    const { summary, outputs } = await project.json<Result>("up");
    expect(summary).toEqual({ same: RESOURCES - 2, replace: 1, update: 1 });
    const after = commandInputs(await project.state());
    const changed = Object.keys(after).filter((name) => after[name] !== hashes[name]);
    expect(changed.sort()).toEqual(["SECRETS_HASH_ALERT_WORKER", "SECRETS_HASH_API"]);
    const applied = docker.calls().findLast(({ verb }) => verb === "up")!;
    expect(applied.env.SMTP_PASS).toBe(smtp);
    expect(outputs.secretsThatDifferFromTheirSource).toEqual(["JWT_SECRET"]);
    expect(await project.secrets()).toEqual({ ...secrets, SMTP_PASS: smtp });
    secrets.SMTP_PASS = smtp;
    const { resources } = await project.state();
    const leaves = resources.filter(({ urn }) => /::secrets-/.test(urn));
    expect(leaves).toHaveLength(SECRETS);
    expect(leaves.filter(({ protect }) => protect !== true)).toEqual([]);
  });

  test("keeps every value without .env; a variable goes back to its default only where that is asked for", async () => {
    rmSync(project.path(".env"));
    const before = docker.up();
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "SMTP_FROM: the deployment has the value that .env had; now no source gives it, so the default would be used. Nothing was changed.\n" +
        "  Fix: put it into .env, or, for every machine and CI, into rejourney:variables of Pulumi.selfhosted.yaml; npx -- rejourney secrets export --env-file in-use.env writes the values in use\n" +
        "  To use the default: npm run up -- --forget-variables\n",
    );
    expect(docker.up()).toBe(before);
    const settings = project.read("Pulumi.selfhosted.yaml");
    const variables = `  rejourney:variables: { ${FROM.replace("=", ": ")} }\n`;
    writeFileSync(
      project.path("Pulumi.selfhosted.yaml"),
      settings.replace("config:\n", `config:\n${variables}`),
    );
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES });
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), settings);
    const { summary, outputs } = await project.json<Result>("up", "--forget-variables");
    expect(summary).toEqual({ same: RESOURCES - 1, update: 1 });
    expect(outputs.secretsThatDifferFromTheirSource).toEqual([]);
    expect(await project.secrets()).toEqual(secrets);
  });

  test("takes the keys of an external S3 in the place of generated ones, and of those alone", async () => {
    const keys = { S3_ACCESS_KEY_ID: "of-the-provider", S3_SECRET_ACCESS_KEY: "a/key+of the provider" };
    const external = { ...keys, S3_ENDPOINT: "https://s3.example.com", S3_BUCKET: "recordings" };
    const env = (values: Record<string, string>) =>
      Object.entries(values).map(([name, value]) => `${name}='${value}'\n`);
    writeFileSync(project.path(".env"), env(external).join(""), { mode: 0o600 });
    const previewed = await project.rejourney(["preview"]);
    const told = Object.keys(keys).map(
      (name) => `± ${name}, which was generated for the built-in S3, takes the value of its source\n`,
    );
    expect(previewed.stdout).toContain(told.join(""));
    const { summary, outputs } = await project.json<Result>("up");
    expect(summary).toEqual({ same: RESOURCES - 3, replace: 2, update: 1 });
    expect(outputs.secretsThatDifferFromTheirSource).toEqual([]);
    expect(parse(docker.up()!)).not.toHaveProperty("services.storage");
    secrets = { ...secrets, ...keys };
    expect(await project.secrets()).toEqual(secrets);
    // What a source gave is kept, as every other value.
    const other = { ...external, S3_ACCESS_KEY_ID: "another" };
    writeFileSync(project.path(".env"), env(other).join(""), { mode: 0o600 });
    const again = await project.json<Result>("up");
    expect(again.summary).toEqual({ same: RESOURCES });
    expect(again.outputs.secretsThatDifferFromTheirSource).toEqual(["S3_ACCESS_KEY_ID"]);
  });

  test("does not go back to the built-in S3 because .env is lost", async () => {
    rmSync(project.path(".env"));
    const before = docker.up();
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The deployment keeps its recordings in an external S3, but S3_ENDPOINT is no longer set; nothing was changed.\n",
    );
    expect(docker.up()).toBe(before);
    expect((await project.rejourney(["down", "--yes"])).status).toBe(0);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES - 2, create: 2 });
    expect(parse(docker.up()!)).toHaveProperty("services.storage");
    expect(await project.secrets()).toEqual(secrets);
  });

  test("has the same resources for the plain Pulumi CLI, which sees no change", async () => {
    const args = ["preview", "--stack", "selfhosted", "--json", "--show-sames"];
    const { status, stdout } = await project.pulumi(...args);
    expect(status).toBe(0);
    const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
    const { resources } = await project.state();
    const own = (urn: string) => !urn.includes("::pulumi:providers:");
    expect(
      steps
        .filter(({ urn }) => own(urn))
        .map(({ urn }) => urn)
        .sort(),
    ).toEqual(
      resources
        .map(({ urn }) => urn)
        .filter(own)
        .sort(),
    );
    expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(["same"]));
  });

  test.each([
    ["up", "it would have no data"],
    ["down --delete-data --confirm selfhosted", "the data may be another's"],
  ])("is not given another name by %s: under that %s", async (verb) => {
    setting("rejourney:projectName: another");
    const before = docker.up();
    const { status, stderr } = await project.rejourney(verb.split(" "));
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), SETTINGS);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "rejourney:projectName is another, but the deployed project is rejourney, with its data; nothing was changed.\n" +
        "  Fix: set it back to rejourney in Pulumi.selfhosted.yaml",
    );
    expect(docker.up()).toBe(before);
  });

  test("gets new keys by a rotation, and is not given the old ones back", async () => {
    const older = `# mine\nJWT_SECRET=${secrets.JWT_SECRET} # sessions\nSMTP_PASS=\`${smtp}\`\n`;
    writeFileSync(project.path(".env"), older, { mode: 0o600 });
    const names = ["JWT_SECRET", "JWT_SIGNING_KEY", "SMTP_PASS"];
    const rotate = (...args: string[]) => project.rejourney(["secrets", "rotate", ...args]);
    expect((await rotate("JWT_SECRET", "--yes")).stderr).toContain(
      "The settings also change other resources: rejourney-compose; nothing was changed.\n  Fix: npm run up first\n",
    );
    setting(MEMORY);
    const withoutInput = await rotate(...names, "--yes");
    expect(withoutInput.status).toBe(1);
    expect(withoutInput.stderr).toContain("SMTP_PASS of standard input is empty");
    const nothing = await rotate("JWT_SECRET", "--finish");
    expect(nothing.status).toBe(1);
    expect(nothing.stderr).toContain("No old value of JWT_SECRET is kept; nothing was changed.");
    expect((await rotate("JWT")).status).toBe(2);
    expect(await project.secrets()).toEqual(secrets);

    const given = "a `new` \"mail\" password #1 with 'all' of them";
    const script = `printf '%s\\n' "$NEW" | cli/rejourney.mjs secrets rotate ${names.join(" ")} --yes --json`;
    const { status, stdout, stderr } = await project.run("/bin/sh", ["-c", script], { NEW: given });
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      summary: { same: RESOURCES - 1, update: 1 },
      rotated: names,
      restarts: ["api", "ingest-worker", "alert-worker", "retention-worker"],
    });
    expect(stderr).toContain("Warning: .env cannot hold the new SMTP_PASS; it keeps the old one.");
    const now = await project.secrets();
    const { JWT_SECRET, JWT_SIGNING_KEY } = now;
    for (const value of [JWT_SECRET, JWT_SIGNING_KEY]) {
      expect(value).toMatch(/^[0-9a-f]{64}$/);
      expect(Object.values(secrets)).not.toContain(value);
    }
    expect(now).toEqual({ ...secrets, JWT_SECRET, JWT_SIGNING_KEY, SMTP_PASS: given });
    const applied = docker.calls().findLast(({ verb }) => verb === "up")!;
    expect(applied.env).toMatchObject({ JWT_SECRET, JWT_SIGNING_KEY, SMTP_PASS: given });
    expect(project.read(".env")).toBe(older.replace(secrets.JWT_SECRET!, JWT_SECRET!));

    writeFileSync(project.path(".env"), older);
    const { stderr: sync } = await project.rejourney(["secrets", "sync"]);
    for (const key of ["JWT_SECRET", "SMTP_PASS"])
      expect(sync).toContain(`${key} is a value that was rotated away, so others may know it.`);
    expect(await project.secrets()).toEqual(now);
    for (const name of names) old[name] = secrets[name]!;
    secrets = now;
    rmSync(project.path(".env"));
  });

  test("is refused on another Docker host, and where its database is gone, unless that is asked for", async () => {
    const before = docker.up();
    const calls = () => docker.calls().filter(({ verb }) => verb !== undefined).length;
    const count = calls();
    docker.engine("BBBB");
    for (const args of [
      ["up"],
      ["status"],
      ["down", "--yes"],
      ["down", "--delete-data", "--confirm=selfhosted"],
    ]) {
      const { status, stdout, stderr } = await project.rejourney(args);
      expect({ args, status, stdout }).toEqual({ args, status: 1, stdout: "" });
      expect(stderr).toMatch(
        /is not the Docker host of the stack selfhosted: its engine is BBBB, and the stack is on AAAA; nothing was changed\.\n {2}Fix: set DOCKER_HOST, .*\n {2}If this host replaces it: npm run up -- --adopt-host$/m,
      );
    }
    docker.engine("AAAA");
    docker.loseVolumes();
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^The volume rejourney_postgres-data of the stack selfhosted is not on .*, so the stack would start with an empty database; nothing was changed\.$/m,
    );
    expect(calls()).toBe(count);
    expect(docker.up()).toBe(before);
    docker.engine("BBBB");
    setting(MEMORY.replace("777", "778"));
    expect((await project.json<Result>("up", "--adopt-host")).summary).toEqual({
      same: RESOURCES - 1,
      update: 1,
    });
    docker.engine("AAAA");
    expect((await project.rejourney(["up"])).stderr).toContain(
      "its engine is AAAA, and the stack is on BBBB;",
    );
    docker.engine("BBBB");
    setting(MEMORY);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES - 1, update: 1 });
  });

  test("is not taken down unasked", async () => {
    const { status, stderr } = await project.rejourney(["down"]);
    expect(status).toBe(1);
    expect(stderr).toContain("Nothing was changed. To skip the prompt: npm run down");
    expect(docker.up()).toBeDefined();
  });

  test("keeps its secrets when it is taken down, and comes back with them", async () => {
    expect((await project.json<Result>("down", "--yes")).summary).toMatchObject({ delete: 2 });
    expect(docker.up()).toBeUndefined();
    expect(docker.calls().filter(({ args }) => args[1] === "rm" || args.includes("--volumes"))).toEqual([]);
    expect(await project.secrets()).toEqual(secrets);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES - 2, create: 2 });
    expect(await project.secrets()).toEqual(secrets);
  });

  test("holds no secret in plain text, in whatever form, in its state or in what was printed", () => {
    const kept = project.files(".rejourney");
    expect([...kept.keys()].filter((path) => path.includes("/history/")).length).toBeGreaterThan(5);
    const places = new Map([...kept, ["what was printed", project.printed]]);
    const before = Object.entries(old).map(([key, value]) => [`the old ${key}`, value]);
    const values = {
      ...secrets,
      ...(Object.fromEntries(before) as Record<string, string>),
      "the JWT_SECRET that was not taken": planted.JWT_SECRET,
    };
    expect(found(values, places)).toEqual([]);
    const passphrase = project.read(".rejourney", "passphrase").trim();
    expect([...places].filter(([, text]) => text.includes(passphrase)).map(([place]) => place)).toEqual([
      project.path(".rejourney", "passphrase"),
    ]);
  });
});
