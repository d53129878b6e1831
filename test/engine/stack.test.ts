import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GENERATED_SECRETS, SECRET_NAMES } from "../../infra/app/secrets.ts";
import { composeProject } from "../../infra/docker/project.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { TestProject } from "../project.ts";
import { dockerSettings, GOOD, OTHER } from "../unit/values.ts";

// The life of one stack on the real engine, in order: each test goes on from where the one before left it.

let project: TestProject;
let secrets: Record<string, string>;
const SECRETS = SECRET_NAMES.length + GENERATED_SECRETS.length;
/** The stack itself, the store, the deployment and its command. */
const RESOURCES = SECRETS + 4;
const SETTINGS = readFileSync(join(projectRoot, "Pulumi.selfhosted.yaml"), "utf8");
const COMPOSE = [".rejourney", "selfhosted", "docker-compose.yml"];
const smtp = "a mail password with $HOME, \"quotes\" and 'more'";
const planted = { JWT_SECRET: OTHER, SMTP_PASS: smtp };

interface Result {
  summary: Record<string, number>;
  outputs: Record<string, unknown>;
}

const setting = (line: string) =>
  writeFileSync(
    project.path("Pulumi.selfhosted.yaml"),
    SETTINGS.replace("config:\n", `config:\n  ${line}\n`),
  );

beforeAll(() => {
  project = new TestProject();
  writeFileSync(project.path(".env"), `JWT_SECRET=${GOOD}\n`, { mode: 0o600 });
});
afterAll(() => project.remove());

describe("a stack", () => {
  test("is previewed before its first run, without a change", async () => {
    const { summary } = await project.json<Result>("preview");
    expect(summary).toEqual({ create: RESOURCES });
    expect((await project.state()).resources).toEqual([]);
    expect(project.exists(...COMPOSE)).toBe(false);
  });

  test("is made by the first run, which keeps its passphrase from everybody else", async () => {
    rmSync(project.path(".rejourney"), { recursive: true });
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect({ status, last: stdout.split("\n")[0] }).toEqual({
      status: 0,
      last: `${RESOURCES} created, 0 unchanged`,
    });
    expect(stderr).toContain("Keep a copy of the folder .rejourney elsewhere");
    expect(statSync(project.path(".rejourney", "passphrase")).mode & 0o777).toBe(0o600);
    expect(statSync(project.path(".rejourney")).mode & 0o777).toBe(0o700);
    expect(parse(project.read(...COMPOSE))).toEqual(composeProject(dockerSettings()));
    // The committed settings stay as they were: no salt of this machine's passphrase.
    expect(project.read("Pulumi.selfhosted.yaml")).toBe(SETTINGS);
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

  test("is left alone by a second run", async () => {
    const before = project.read(...COMPOSE);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES });
    expect(project.read(...COMPOSE)).toBe(before);
  });

  test("shows one changed memory limit as exactly that, and changes exactly that", async () => {
    setting("rejourney:services: { ingest-worker: { memory: 777M } }");
    const before = project.read(...COMPOSE).split("\n");
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
    const after = project.read(...COMPOSE).split("\n");
    expect(after.filter((line, i) => line !== before[i])).toEqual(["    mem_limit: 777m"]);
    expect(after).toHaveLength(before.length);
  });

  test("keeps the values in use, tells of a source that differs, and takes an optional one that is new", async () => {
    const lines = Object.entries(planted).map(([name, value]) => `${name}=\`${value}\`\n`);
    writeFileSync(project.path(".env"), lines.join(""), { mode: 0o600 });
    const previewed = await project.rejourney(["preview"]);
    expect(previewed.stdout).toContain("± SMTP_PASS, which was empty, gets the value of its source\n");
    expect((await project.secrets()).SMTP_PASS).toBe("");
    const { summary, outputs } = await project.json<Result>("up");
    expect(summary).toEqual({ same: RESOURCES - 1, replace: 1 });
    expect(outputs.secretsThatDifferFromTheirSource).toEqual(["JWT_SECRET"]);
    expect(await project.secrets()).toEqual({ ...secrets, SMTP_PASS: smtp });
    secrets.SMTP_PASS = smtp;
    const { resources } = await project.state();
    const leaves = resources.filter(({ urn }) => /::secrets-/.test(urn));
    expect(leaves).toHaveLength(SECRETS);
    expect(leaves.filter(({ protect }) => protect !== true)).toEqual([]);
  });

  test("keeps every value without .env", async () => {
    rmSync(project.path(".env"));
    const { summary, outputs } = await project.json<Result>("up");
    expect(summary).toEqual({ same: RESOURCES });
    expect(outputs.secretsThatDifferFromTheirSource).toEqual([]);
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

  test("is not taken down unasked", async () => {
    const { status, stderr } = await project.rejourney(["down"]);
    expect(status).toBe(1);
    expect(stderr).toContain("Nothing was changed. To go on without being asked: npm run down");
    expect(project.exists(...COMPOSE)).toBe(true);
  });

  test("keeps its secrets when it is taken down, and comes back with them", async () => {
    expect((await project.json<Result>("down", "--yes")).summary).toMatchObject({ delete: 2 });
    expect(project.exists(...COMPOSE)).toBe(false);
    expect(await project.secrets()).toEqual(secrets);
    expect((await project.json<Result>("up")).summary).toEqual({ same: RESOURCES - 2, create: 2 });
    expect(await project.secrets()).toEqual(secrets);
  });

  test("holds no secret in plain text, in whatever form, in its state or in what was printed", () => {
    const kept = project.files(".rejourney");
    expect([...kept.keys()].filter((path) => path.includes("/history/")).length).toBeGreaterThan(5);
    const places = new Map([...kept, ["what was printed", project.printed]]);
    const values = Object.entries({ ...secrets, "the JWT_SECRET that was not taken": planted.JWT_SECRET });
    const found = values
      .filter(([, value]) => value !== "")
      .flatMap(([name, value]) =>
        formsOf(value).flatMap((form) =>
          [...places].filter(([, text]) => text.includes(form)).map(([place]) => `${name} in ${place}`),
        ),
      );
    expect(found).toEqual([]);
    const passphrase = project.read(".rejourney", "passphrase").trim();
    expect([...places].filter(([, text]) => text.includes(passphrase)).map(([place]) => place)).toEqual([
      project.path(".rejourney", "passphrase"),
    ]);
  });
});

/** A value as it is, in base64, in hex, encoded for a URL and as JSON. */
function formsOf(value: string): string[] {
  const bytes = Buffer.from(value);
  const json = JSON.stringify(value).slice(1, -1);
  return [value, bytes.toString("base64"), bytes.toString("hex"), encodeURIComponent(value), json];
}
