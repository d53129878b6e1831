import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { GENERATED_SECRETS, SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { projectOf } from "../../infra/compose/project-variables.ts";
import { yamlText } from "../../infra/yaml.ts";
import { HOST_RECORD } from "../../infra/docker/host.ts";
import { rotationsName } from "../../infra/secrets/names.ts";
import program from "../../stacks/index.ts";
import { GENERATOR, recorded, slotOf, STASH, STORE, valueOf } from "./mocks.ts";
import { dockerSettings, FROM_OUTSIDE, GOOD, OTHER } from "./values.ts";

// The images that somebody's `up` has taken in this very folder are not the test's.
vi.mock("../../infra/settings/sources.ts", async (original) => {
  const sources = await original<typeof import("../../infra/settings/sources.ts")>();
  const engineInput: typeof sources.engineInput = (...args) => ({
    ...sources.engineInput(...args),
    taken: undefined,
  });
  return { ...sources, engineInput };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
  process.env.REJOURNEY_ENV_FILE = join(folder, ".env");
});
afterEach(() => {
  delete process.env.REJOURNEY_ENV_FILE;
  rmSync(folder, { recursive: true });
});

/** Runs the program's entry as the engine would; `inUse` are the values that slots of the state hold already. */
async function deploy(
  config: Record<string, string>,
  env: string,
  inUse: Partial<Record<SecretName, string>> = {},
) {
  writeFileSync(process.env.REJOURNEY_ENV_FILE!, env);
  const { registered, outputs } = await recorded(
    "selfhosted",
    () => {
      pulumi.runtime.setAllConfig(config);
      return program();
    },
    inUse,
  );
  return {
    registered,
    outputs,
    differing: await valueOf(outputs.secretsThatDifferFromTheirSource),
    empty: await valueOf(outputs.secretsThatAreEmpty),
  };
}

const DOCKER = { "rejourney:target": "docker" };

describe("the stack selfhosted", () => {
  test("has a slot for each secret, a generator for each that can be generated, and the project", async () => {
    const { registered } = await deploy(DOCKER, "");
    const expected = [
      `${STORE} secrets`,
      ...SECRET_NAMES.map((name) => `${STASH} ${slotOf(name)}`),
      ...GENERATED_SECRETS.map((name) => `${GENERATOR} ${slotOf(name)}-generated`),
      `${GENERATOR} secrets-hash-key`,
      `${STASH} ${rotationsName()}`,
      "rejourney:docker:DockerDeployment rejourney",
      "command:local:Command rejourney-compose",
      `${STASH} ${HOST_RECORD}`,
    ];
    expect(registered.map(({ type, name }) => `${type} ${name}`).sort()).toEqual(expected.sort());
  });

  test("keeps every value as a secret, protected, below the store", async () => {
    const { registered } = await deploy(DOCKER, `JWT_SECRET=${GOOD}`);
    const leaves = registered.filter(
      ({ type, name }) => (type === STASH || type === GENERATOR) && name !== HOST_RECORD,
    );
    expect(leaves).toHaveLength(SECRET_NAMES.length + GENERATED_SECRETS.length + 2);
    for (const { type, name, parent, protect, secret, ignoreChanges } of leaves) {
      expect({ name, parent, protect }).toEqual({ name, parent: "secrets", protect: true });
      if (type === STASH)
        expect({ name, secret, ignoreChanges }).toEqual({
          name,
          // What the last one has of a secret, `secrets rotate` writes.
          secret: name === rotationsName() ? [] : ["input"],
          ignoreChanges: ["input"],
        });
    }
    // What is not secret does not hold the value either.
    const store = registered.find(({ type }) => type === STORE)!;
    expect(store.inputs).toEqual({});
  });

  test("has the project as plain inputs, a text for each service, without a secret", async () => {
    const { registered } = await deploy(DOCKER, `JWT_SECRET=${GOOD}`);
    const { parent, secret, inputs } = registered.find(({ type }) => type === "command:local:Command")!;
    expect({ parent, secret }).toEqual({ parent: "rejourney", secret: ["stdin"] });
    const {
      environment,
      create,
      update,
      delete: remove,
      dir,
    } = inputs as Record<string, string> & {
      environment: Record<string, string>;
    };
    const apply = 'PATH="node_modules/.bin:$PATH" node infra/docker/apply.ts';
    expect({ create, update, remove, dir }).toEqual({
      create: `${apply} up`,
      update: `${apply} up`,
      remove: `${apply} down`,
      dir: "..",
    });
    expect(inputs.triggers).toBeUndefined(); // they would take the project down first
    const project = composeProject(dockerSettings({}));
    expect(projectOf(environment)).toEqual(project);
    expect(Object.keys(projectOf(environment).services)).toEqual(Object.keys(project.services));
    const { "ingest-worker": worker } = project.services;
    expect(environment.SERVICE_INGEST_WORKER).toBe(yamlText({ "ingest-worker": worker }));
    expect(JSON.stringify(environment)).not.toContain(GOOD);
  });

  test("hands the secrets over by standard input, the passwords in connection strings encoded", async () => {
    const { registered } = await deploy(
      DOCKER,
      "POSTGRES_PASSWORD='p@ss/w%rd of ours'\nREDIS_PASSWORD='a#b of the queue'",
    );
    const { inputs } = registered.find(({ type }) => type === "command:local:Command")!;
    const given = JSON.parse(inputs.stdin as string) as Record<string, string>;
    expect(Object.keys(given).sort()).toEqual([...SECRET_NAMES, "DATABASE_URL", "REDIS_URL"].sort());
    expect(given).toMatchObject({
      POSTGRES_PASSWORD: "p@ss/w%rd of ours",
      JWT_SECRET: "secrets-jwt-secret-generated made",
      SMTP_PASS: "",
      DATABASE_URL: "postgresql://rejourney:p%40ss%2Fw%25rd%20of%20ours@postgres:5432/rejourney",
      REDIS_URL: "redis://:a%23b%20of%20the%20queue@redis:6379/0",
    });
  });

  test("shows a changed secret as a changed hash of those who read it, and of nobody else", async () => {
    const hashes = async (env: string) => {
      const { registered } = await deploy(DOCKER, env);
      const { inputs } = registered.find(({ type }) => type === "command:local:Command")!;
      const variables = Object.entries(inputs.environment as Record<string, string>);
      return Object.fromEntries(variables.filter(([name]) => name.startsWith("SECRETS_HASH_")));
    };
    const before = await hashes("SMTP_PASS=one");
    const after = await hashes("SMTP_PASS=two");
    const readers = ["ALERT_WORKER", "API", "INGEST_WORKER", "MIGRATE"];
    readers.push("POSTGRES", "REDIS", "RETENTION_WORKER", "STORAGE");
    expect(Object.keys(before).sort()).toEqual(readers.map((name) => `SECRETS_HASH_${name}`));
    for (const hash of Object.values(before)) expect(hash).toMatch(/^[0-9a-f]{16}$/);
    // With a key that is generated too, so that a short secret cannot be guessed from its hash.
    const hmac = createHmac("sha256", "secrets-hash-key made").update(
      '["secrets-redis-password-generated made"]',
    );
    expect(before.SECRETS_HASH_REDIS).toBe(hmac.digest("hex").slice(0, 16));
    const changed = Object.keys(before).filter((name) => before[name] !== after[name]);
    expect(changed.sort()).toEqual(["SECRETS_HASH_ALERT_WORKER", "SECRETS_HASH_API"]);
  });

  test("uses what a source gives, generates the rest, and leaves optional ones empty", async () => {
    const config = { ...DOCKER, "rejourney:JWT_SIGNING_KEY": OTHER };
    const { registered, empty, differing } = await deploy(config, `JWT_SECRET=${GOOD}\nSMTP_PASS=mail`);
    const inputOf = (name: SecretName) =>
      registered.find((entry) => entry.name === slotOf(name))!.inputs.input;
    expect(inputOf("JWT_SECRET")).toBe(GOOD);
    expect(inputOf("JWT_SIGNING_KEY")).toBe(OTHER);
    expect(inputOf("SMTP_PASS")).toBe("mail");
    expect(inputOf("STORAGE_ENCRYPTION_KEY")).toBe("secrets-storage-encryption-key-generated made");
    expect(inputOf("STRIPE_SECRET_KEY")).toBe("");
    expect(empty).toEqual(FROM_OUTSIDE.filter((name) => name !== "SMTP_PASS"));
    expect(differing).toEqual([]);
  });

  test("names a source that holds another value than the one in use", async () => {
    const env = `JWT_SECRET=${GOOD}\nJWT_SIGNING_KEY=${OTHER}`;
    const { differing } = await deploy(DOCKER, env, { JWT_SECRET: "in use", JWT_SIGNING_KEY: OTHER });
    expect(differing).toEqual(["JWT_SECRET"]);
  });

  test("generates as many hex digits as the application asks for", async () => {
    const { registered } = await deploy(DOCKER, "");
    const key = registered.find(({ name }) => name === "secrets-storage-encryption-key-generated")!;
    expect(key.inputs).toMatchObject({
      length: 64,
      lower: false,
      upper: false,
      special: true,
      overrideSpecial: "abcdef",
    });
  });

  test("has these outputs", async () => {
    const { outputs } = await deploy(DOCKER, `JWT_SECRET=${GOOD}`);
    expect(Object.keys(outputs)).toEqual([
      "dashboard",
      "api",
      "secretsThatDifferFromTheirSource",
      "secretsThatAreEmpty",
      "environment",
      "variablesFromEnv",
    ]);
  });
});

describe("nothing is registered", () => {
  test.each([
    ["a bad key", DOCKER, "STORAGE_ENCRYPTION_KEY=", "STORAGE_ENCRYPTION_KEY is empty"],
    [
      "a bad setting",
      { ...DOCKER, "rejourney:httpPort": "x" },
      "",
      "rejourney:httpPort is not a port number (1 to 65535)",
    ],
    ["a cluster without a domain", { "rejourney:target": "kubernetes" }, "", "rejourney:domain is missing"],
  ])("for %s", async (_, config, env, message) => {
    writeFileSync(process.env.REJOURNEY_ENV_FILE!, env);
    let registered = 0;
    const newResource = () => ({ id: String(registered++), state: {} });
    await pulumi.runtime.setMocks({ newResource, call: () => ({}) }, "rejourney", "selfhosted");
    pulumi.runtime.setAllConfig(config);
    const error = await program().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toContain(message);
    expect(registered).toBe(0);
  });
});
