import { renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { ServiceReport } from "../../cli/terminal/service-report.ts";
import { sealKeyRef } from "../../infra/storage/key-ref.ts";
import { TestProject } from "../project.ts";
import { found, watchCommandLines } from "../search.ts";
import {
  containers,
  docker,
  eventually,
  freePort,
  type Inspected,
  listed,
  removeAll,
  testName,
  writeSettings,
} from "./host.ts";
import { keysIn } from "./s3.ts";

// `npm run up` on a real Docker Engine; each test goes on from where the one before left.

const SERVICES = ["traefik", "api", "web", "ingest-worker", "alert-worker", "retention-worker"].concat(
  ...["postgres", "redis", "storage"],
);
/** With characters that have a meaning in a URL, a shell, YAML and redis.conf. */
const GIVEN = {
  POSTGRES_PASSWORD: `Pg:p@ss/w%rd#"\\q$7`,
  REDIS_PASSWORD: `Re"dis\\p@ss\${x}#1`,
};
const MAIL = { SMTP_PASS: "Sm+tp/p@ss&word" };

const name = testName();
let project: TestProject;
let port = 0;
let id = "";
/** Of every process while the first `up` was at work. */
let commandLines = "";

beforeAll(async () => {
  project = new TestProject();
  port = await freePort();
  settings();
  env(GIVEN);
});
afterAll(async () => {
  await removeAll(name);
  project.remove();
});

const settings = (...lines: string[]) => writeSettings(project, name, port, lines);
function env(values: Record<string, string>): void {
  const lines = Object.entries(values).map(([key, value]) => `${key}='${value}'\n`);
  writeFileSync(project.path(".env"), lines.join(""), { mode: 0o600 });
}

const ask = (path: string, init: RequestInit = {}) => fetch(`http://localhost:${port}${path}`, init);
const recording = () => `/api/projects/${id}/recordings/one`;
const volumes = () => listed(["volume", "ls", "--quiet", `--filter=name=${name}`]);
const VOLUMES = ["postgres-data", "redis-data", "storage-data"].map((volume) => `${name}_${volume}`);

/** The id and the start of each container: a new one differs in the first, a restarted one in the second. */
async function runs(): Promise<Record<string, string>> {
  const all = Object.entries(await containers(name));
  return Object.fromEntries(all.map(([service, { Id, State }]) => [service, `${Id} ${State.StartedAt}`]));
}

/** The services whose container is another one than before, or was started again. */
async function newSince(before: Record<string, string>): Promise<string[]> {
  const after = await runs();
  expect(Object.keys(after)).toEqual(Object.keys(before));
  return Object.keys(after).filter((service) => after[service] !== before[service]);
}

/** What is left of a container where the kill hits `docker compose` between its making and its start. */
async function leaveUnstarted({ Id, Name, Config }: Inspected): Promise<void> {
  await docker(["rm", "--force", Id]);
  const labels = Object.entries(Config.Labels).map(([label, value]) => `--label=${label}=${value}`);
  await docker(["create", `--name=${Name.slice(1)}`, ...labels, Config.Image]);
}

interface Result {
  summary: Record<string, number>;
  services: ServiceReport[];
  repaired: string[];
}

describe("a first up", () => {
  test("ends with every service healthy, the address and what to do next", async () => {
    const watch = watchCommandLines();
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    commandLines = watch.end();
    expect(status, stderr).toBe(0);
    const table = SERVICES.map((service) => `  ${service.padEnd(16)}  healthy\n`).join("");
    expect(stdout).toMatch(/^\d+ created, 0 unchanged\n/);
    expect(stdout.slice(stdout.indexOf("\n") + 1)).toBe(
      `${table}Rejourney runs at http://localhost:${port}
This is a sample application without authentication, not Rejourney. Use it only to try the deployment.
To run Rejourney: npm run down -- --delete-data, echo REJOURNEY_RELEASE=<release> >> .env, npm run up
Next:
  npm run status   shows the health of each service
  npm run preview  shows what a change in Pulumi.selfhosted.yaml or .env would do; npm run up applies it
  npm run down     removes the containers; data and secrets stay
`,
    );
    const all = await containers(name);
    // What runs once leaves no container behind.
    expect(Object.keys(all)).toEqual([...SERVICES].sort());
    for (const [service, { State }] of Object.entries(all))
      expect(State.Health?.Status, service).toBe("healthy");
  }, 300_000);

  test("makes a deployment that keeps a recording, with the passwords of .env", async () => {
    const made = await ask("/api/projects", { method: "POST", body: JSON.stringify({ name: "first" }) });
    ({ id } = (await made.json()) as { id: string });
    expect((await ask(recording(), { method: "PUT", body: "a recording" })).status).toBe(201);
    const secrets = await project.secrets();
    expect(secrets).toMatchObject(GIVEN);
    const access = { accessKeyId: secrets.S3_ACCESS_KEY_ID!, secretAccessKey: secrets.S3_SECRET_ACCESS_KEY! };
    expect(await keysIn({ url: `http://s3.localhost:${port}`, ...access }, "rejourney")).toEqual([
      `projects/${id}/one`,
    ]);
    await eventually(20, async () => {
      const answer = await ask(`/api/projects/${id}/recordings`);
      expect(JSON.stringify(await answer.json())).toContain("processed");
    });
  }, 60_000);
});

describe("up again", () => {
  test("changes nothing and restarts nothing, without .env too", async () => {
    const before = await runs();
    env({});
    const { summary, repaired } = await project.json<Result>("up");
    expect(Object.keys(summary)).toEqual(["same"]);
    expect(repaired).toEqual([]);
    expect(await newSince(before)).toEqual([]);
  }, 60_000);

  test("with other memory and replicas replaces, starts and removes those containers alone", async () => {
    const before = await runs();
    settings("services: { alert-worker: { memory: 600M, replicas: 2 }, retention-worker: { replicas: 0 } }");
    const { services, summary } = await project.json<Result>("up");
    expect(summary).toMatchObject({ update: 1 });
    const status = (service: string) => services.find((told) => told.service === service)!.status;
    expect([status("alert-worker"), status("retention-worker")]).toEqual(["healthy", "off"]);
    const format = "--format={{.Names}}";
    const workers = await listed(["ps", "--all", `--filter=name=${name}.*worker`, format]);
    expect(workers.map((worker) => worker.replace(/-\d$/, "")).sort()).toEqual(
      ["alert-worker", "alert-worker", "ingest-worker"].map((worker) => `${name}-${worker}`),
    );
    settings("services: { alert-worker: { memory: 600M } }");
    expect((await project.json<Result>("up")).services.filter(({ trouble }) => trouble !== "")).toEqual([]);
    expect(await newSince(before)).toEqual(["alert-worker", "retention-worker"]);
    const { "alert-worker": worker } = await containers(name);
    expect(worker!.HostConfig.Memory).toBe(600 * 2 ** 20);
  }, 90_000);

  test("with a secret that is new replaces those who read it alone, and loses no request", async () => {
    const before = await runs();
    env(MAIL);
    const load = requests();
    const { status, stdout, stderr } = await project.rejourney(["secrets", "sync"]);
    const { sent, failed } = await load.end();
    expect(status, stderr).toBe(0);
    expect(stdout).toMatch(/^\+ SMTP_PASS\n1 added, \d+ unchanged\nRestarts: api, alert-worker\n/);
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(50);
    expect(await newSince(before)).toEqual(["alert-worker", "api"]);
    const all = await containers(name);
    const readers = Object.keys(all).filter((service) =>
      all[service]!.Config.Env.includes(`SMTP_PASS=${MAIL.SMTP_PASS}`),
    );
    expect(readers).toEqual(["alert-worker", "api"]);
    env({ ...MAIL, POSTGRES_PASSWORD: "of-another-database" });
    const refused = await project.rejourney(["secrets", "sync"]);
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toContain("POSTGRES_PASSWORD is not the value in use and cannot change alone");
    env(MAIL);
  }, 90_000);

  test("with a container removed and another stopped by hand brings those back alone", async () => {
    const before = await runs();
    const { web, redis, "ingest-worker": worker } = await containers(name);
    await docker(["rm", "--force", web!.Id]);
    await docker(["stop", redis!.Id]);
    await leaveUnstarted(worker!);
    const told = await project.rejourney(["status"]);
    expect(told.status).toBe(1);
    expect(told.stdout).toMatch(/^ {2}web {15}! missing$/m);
    expect(told.stdout).toMatch(/^ {2}redis {13}! exited$/m);
    expect(told.stdout).toMatch(/^ {2}ingest-worker {5}! created$/m);
    expect(told.stdout).toMatch(/^ {2}postgres {10}healthy$/m);
    expect(told.stderr).toContain("3 of 9 services are unhealthy.");
    const { summary, repaired, services } = await project.json<Result>("up");
    expect(Object.keys(summary)).toEqual(["same"]);
    expect(repaired).toEqual(["web", "ingest-worker", "redis"]);
    expect(services.filter(({ trouble }) => trouble !== "")).toEqual([]);
    expect(await newSince(before)).toEqual(["ingest-worker", "redis", "web"]);
    const { "ingest-worker": anew } = await containers(name);
    expect(anew!.Config.Env.sort()).toEqual(worker!.Config.Env.sort());
    expect((await project.rejourney(["status"])).status).toBe(0);
  }, 90_000);
});

test("a request that finds no container is sent again until there is one", async () => {
  const { web } = await containers(name);
  const statuses: number[] = [];
  // On a busy machine a start may take longer than that.
  while (statuses.length < 5 && statuses.at(-1) !== 200) {
    await docker(["stop", web!.Id]);
    const answer = ask("/");
    await docker(["start", web!.Id]);
    statuses.push((await answer).status);
  }
  expect(statuses).toContain(200);
}, 60_000);

describe("a failure", () => {
  test("of the migration ends with 1, and leaves what runs running", async () => {
    const before = await runs();
    const script =
      'console.log("connecting to", process.env.DATABASE_URL); throw new Error("column is there")';
    settings(
      `migrateCommand: [node, -e, '${script}']`,
      "services: { api: { memory: 600M }, web: { memory: 300M } }",
    );
    const load = requests();
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    const { sent, failed } = await load.end();
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("Error: column is there");
    expect(stderr).toContain("migrate failed; the services of the application are unchanged.");
    expect(stderr).toContain("connecting to [redacted]");
    expect(await newSince(before)).toEqual([]);
    expect(failed).toEqual([]);
    expect(sent).toBeGreaterThan(50);
  }, 120_000);

  test("of a service shows its last lines, and what ran keeps serving", async () => {
    const before = await runs();
    const script = 'console.log(process.env.REDIS_PASSWORD); console.error("no luck"); process.exit(1)';
    settings(`services: { api: { memory: 600M }, alert-worker: { command: [node, -e, '${script}'] } }`);
    const load = requests();
    const { status, stderr } = await project.rejourney(["up"]);
    const { failed } = await load.end();
    expect(failed).toEqual([]);
    expect(status).toBe(1);
    expect(stderr).toContain("last lines of its log:");
    expect(stderr).toContain("no luck");
    expect(stderr).not.toContain(GIVEN.REDIS_PASSWORD);
    expect(stderr).toContain("The new containers were removed; the old ones keep serving.");
    expect(await newSince(before)).toEqual([]);
    settings();
    expect((await project.rejourney(["up"])).status).toBe(0);
  }, 180_000);
});

describe("the secrets", () => {
  test("are nowhere but in their readers", async () => {
    const values = {
      ...(await project.secrets()),
      passphrase: project.read(".rejourney", "passphrase").trim(),
    };
    expect(Object.values(values).filter((value) => value !== "").length).toBe(10);
    expect((await project.rejourney(["preview"])).status).toBe(0);
    const all = await containers(name);
    const logs = await Promise.all(
      Object.entries(all).map(async ([service, { Id }]) => {
        const { all: log } = await execa("docker", ["logs", Id], { all: true });
        return [`the log of ${service}`, log] as const;
      }),
    );
    expect(logs.filter(([, log]) => log !== "").length).toBeGreaterThan(5);
    expect(commandLines).toContain("docker\0compose");
    const inspections = Object.entries(all).map(
      ([service, { Config, ...rest }]) =>
        [
          `the inspection of ${service}`,
          JSON.stringify({ ...rest, Config: { ...Config, Env: [] } }),
        ] as const,
    );
    const files = [...project.files(".rejourney")].filter(([path]) => !path.endsWith("/passphrase"));
    const places = [
      ...files,
      ...logs,
      ...inspections,
      ["what was printed", project.printed] as const,
      ["a command line", commandLines] as const,
    ];
    expect(found(values, places)).toEqual([]);
  });

  test("that a service reads are in its own container's environment, by their names", async () => {
    const secrets = await project.secrets();
    const all = Object.entries(await containers(name));
    const places = all.map(([service, { Config }]) => [service, Config.Env.join("\n")] as const);
    const readers = (secret: string) =>
      found({ [secret]: secrets[secret]! }, places).map((text) => text.split(" in ")[1]);
    const workers = ["alert-worker", "ingest-worker", "retention-worker"];
    const [alert, ...others] = workers as [string, string, string];
    const application = [alert, "api", ...others];
    expect(Object.fromEntries(Object.keys(secrets).map((secret) => [secret, readers(secret)]))).toMatchObject(
      {
        POSTGRES_PASSWORD: [alert, "api", "ingest-worker", "postgres", "retention-worker"],
        REDIS_PASSWORD: [alert, "api", "ingest-worker", "redis", "retention-worker"],
        JWT_SECRET: application,
        STORAGE_ENCRYPTION_KEY: application,
        S3_SECRET_ACCESS_KEY: [...application, "storage"],
        SMTP_PASS: [alert, "api"],
      },
    );
  });
});

/** Takes the state and the bundle away, as a lost disk or another clone would have it; the result puts them back. */
function lose(): () => void {
  renameSync(project.path(".rejourney"), project.path("kept"));
  return () => {
    rmSync(project.path(".rejourney"), { recursive: true, force: true });
    renameSync(project.path("kept"), project.path(".rejourney"));
  };
}
const isEmpty = async () => expect((await project.state()).resources).toEqual([]);

describe("a lost state", () => {
  let before: Record<string, string>;
  let secrets: Record<string, string>;
  beforeAll(async () => {
    before = await runs();
    secrets = await project.secrets();
    const { postgres } = await containers(name);
    const row = `insert into storage_endpoints (endpoint_url, bucket, key_ref, active) values ('http://other.test', 'b', '${sealKeyRef("key", secrets.STORAGE_ENCRYPTION_KEY!)}', false)`;
    await docker(["exec", postgres!.Id, "psql", "-U", "rejourney", "-d", "rejourney", "-qc", row]);
    lose();
    env({});
  });
  afterEach(async () => {
    expect(await newSince(before)).toEqual([]);
    await isEmpty();
  });

  test("makes no new secrets for the data that is there", async () => {
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `The volume ${name}_postgres-data holds a database, and this project has no state with its secrets. POSTGRES_PASSWORD, `,
    );
    expect(stderr).toContain("npx rejourney recover recovery-selfhosted.age --key recovery.key");
  });

  test.each([
    ["POSTGRES_PASSWORD", "does not open the database in the volume"],
    ["STORAGE_ENCRYPTION_KEY", "decrypts no key_ref of storage_endpoints"],
  ])("does not take another %s", async (wrong, words) => {
    const right = Object.entries(secrets).filter(([name, value]) => name !== wrong && value !== "");
    env(Object.fromEntries(right));
    expect((await project.rejourney(["secrets", "generate"])).status).toBe(0); // the wrong one
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${wrong} in the settings ${words}`);
    expect(stderr).toContain("nothing was changed.");
  });
});

describe("the recovery bundle", () => {
  test("brings the state back to the data that is there", async () => {
    const before = await runs();
    const kept = project.path("kept");
    rmSync(project.path(".env"));
    const recover = ["recover", `${kept}/recovery-selfhosted.age`, "--key", `${kept}/recovery.key`];
    const { status, stderr } = await project.rejourney(recover);
    expect(status, stderr).toBe(0);
    const { summary, repaired } = await project.json<Result>("up");
    expect(Object.keys(summary)).toEqual(["same"]);
    expect(repaired).toEqual([]);
    expect(await newSince(before)).toEqual([]);
    rmSync(kept, { recursive: true });
  });
});

describe("down", () => {
  test("keeps the data and the secrets, and up brings both back", async () => {
    const secrets = await project.secrets();
    const { status, stdout } = await project.rejourney(["down", "--yes"]);
    expect(status).toBe(0);
    expect(stdout).toContain("Data and secrets are kept.");
    expect(await containers(name)).toEqual({});
    expect((await volumes()).sort()).toEqual(VOLUMES);
    const told = await project.rejourney(["status"]);
    expect(told.status).toBe(1);
    expect(told.stderr).toContain("The stack selfhosted is down; its data and secrets are kept.");
    // With other secrets, PostgreSQL is started, tried and stopped again.
    const find = lose();
    expect((await project.rejourney(["secrets", "generate", "--env-file", ".env"])).status).toBe(0);
    const refused = await project.rejourney(["up"]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("POSTGRES_PASSWORD in the settings does not open the database");
    expect(await containers(name)).toEqual({});
    find();
    env({});
    expect((await project.rejourney(["up"])).status).toBe(0);
    expect(await project.secrets()).toEqual(secrets);
    expect(await (await ask(recording())).text()).toBe("a recording");
  }, 120_000);

  test("and up touch nothing where somebody else's containers or volumes bear the project's name", async () => {
    const before = await runs();
    const label = `com.docker.compose.project=${name}`;
    const { web } = await containers(name);
    const theirs = [
      "create",
      `--label=${label}`,
      "--label=com.docker.compose.oneoff=False",
      web!.Config.Image,
    ];
    const container = await docker([...theirs]);
    const volume = await docker(["volume", "create", `--label=${label}`, `${name}_miniodata`]);
    for (const args of [["up"], ["down", "--yes"], ["down", "--delete-data", "--confirm", "selfhosted"]]) {
      const { status, stderr } = await project.rejourney(args);
      expect({ status, stderr }).toMatchObject({ status: 1 });
      expect(stderr).toMatch(
        new RegExp(`did not create: container \\S+, volume ${volume}; nothing was changed\\.\n {2}Fix: `),
      );
    }
    // Nor does the engine's own command.
    const destroy = ["pulumi", "destroy", "--yes", "--exclude-protected", "--stack", "selfhosted"];
    expect((await project.rejourney(destroy)).stdout).toContain(`volume ${volume}; nothing was changed.`);
    expect(await docker(["container", "inspect", "--format={{.Id}}", container])).toBe(container);
    expect(await volumes()).toContain(volume);
    await docker(["rm", container]);
    await docker(["volume", "rm", volume]);
    expect(await newSince(before)).toEqual([]);
  }, 120_000);

  test.each(["--yes", "--confirm=rejourney"])("--delete-data with %s deletes nothing", async (flag) => {
    const before = await runs();
    const { status, stderr } = await project.rejourney(["down", "--delete-data", flag]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "Nothing was changed. To delete the data without a prompt: npm run down -- --delete-data --confirm selfhosted",
    );
    expect(await newSince(before)).toEqual([]);
  });

  test("--delete-data with the stack's name deletes containers, networks and data", async () => {
    const deletion = ["down", "--delete-data", "--confirm", "selfhosted"];
    // A container of somebody else stops it in the middle; the same command goes on once that is gone.
    const { web } = await containers(name);
    const mount = `--volume=${name}_storage-data:/mnt`;
    const holder = await docker(["create", mount, web!.Config.Image]);
    const stopped = await project.rejourney(deletion);
    await docker(["rm", holder]);
    expect(stopped.status).toBe(1);
    expect(stopped.stderr).toMatch(
      new RegExp(
        `^Docker does not delete the volume ${name}_storage-data: .*\\n {2}Fix: remove the container`,
        "m",
      ),
    );
    expect((await volumes()).sort()).toEqual([`${name}_postgres-data`, `${name}_storage-data`]);
    const { status, stderr } = await project.rejourney(deletion);
    expect(status, stderr).toBe(0);
    expect(await volumes()).toEqual([]);
    const networks = await listed(["network", "ls", `--filter=name=${name}`, "--format={{.Name}}"]);
    // Docker Engine 20.10 now and then does not let one go.
    const told = stopped.stderr + stderr;
    expect(networks.filter((network) => !told.includes(`docker network rm ${network}`))).toEqual([]);
    expect(await containers(name)).toEqual({});
    // What somebody else brings up under this name from now on is not this stack's.
    const volume = await docker(["volume", "create", `${name}_redis-data`]);
    const again = await project.rejourney(["down", "--delete-data", "--confirm", "selfhosted"]);
    expect(again).toMatchObject({ status: 1, stdout: "" });
    expect(again.stderr).toContain("Nothing of the stack selfhosted is deployed from here.");
    const up = await project.rejourney(["up"]);
    expect(up).toMatchObject({ status: 1, stdout: "" });
    expect(up.stderr).toContain(
      `no database in them that this stack made: ${volume}; nothing was changed.\n  Fix: set rejourney:projectName to another name; or, if you do not need what is in them: docker volume rm ${volume}\n`,
    );
    await docker(["volume", "rm", volume]);
  }, 120_000);
});

describe("a first up that fails halfway", () => {
  test("leaves what down removes, and the next up goes on from", async () => {
    const halfway = async () => {
      settings("migrateCommand: [node, -e, 'process.exit(1)']");
      expect((await project.rejourney(["up"])).status).toBe(1);
      expect(Object.keys(await containers(name))).toEqual(["postgres", "redis", "storage"]);
    };
    await halfway();
    expect((await project.rejourney(["down", "--yes"])).status).toBe(0);
    expect(await containers(name)).toEqual({});
    await halfway();
    const before = await runs();
    settings();
    expect((await project.rejourney(["up"])).status).toBe(0);
    expect((await project.rejourney(["status"])).status).toBe(0);
    const after = await runs();
    expect(Object.keys(after)).toEqual([...SERVICES].sort());
    expect(after).toMatchObject(before);
    expect((await ask(recording())).status).toBe(404); // the data of the deployment before is gone
  }, 180_000);
});

/** Asks for the health through Traefik, one request after the other, until the end is asked for. */
function requests() {
  const failed: string[] = [];
  let [sent, over] = [0, false];
  const loop = (async () => {
    for (; !over; await sleep(20)) {
      sent++;
      try {
        const answer = await ask("/health");
        const text = await answer.text();
        if (answer.status !== 200) failed.push(`${new Date().toISOString()} status ${answer.status} ${text}`);
      } catch (error) {
        failed.push(`${new Date().toISOString()} ${String((error as Error).cause ?? error)}`);
      }
    }
  })();
  return {
    async end() {
      over = true;
      await loop;
      return { sent, failed };
    },
  };
}
