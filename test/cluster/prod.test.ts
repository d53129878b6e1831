import { writeFileSync } from "node:fs";
import type { V1Job, V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openKeyRef, sealKeyRef } from "../../infra/storage/key-ref.ts";
import { yamlText } from "../../infra/yaml.ts";
import { type Ran, TestProject } from "../project.ts";
import { found } from "../search.ts";
import { pem } from "../unit/certificate.ts";
import { startCluster, type TestCluster } from "./cluster.ts";
import { Asking, Site } from "./site.ts";

// The life of the stack prod on a cluster that runs its pods, in order.

const DOMAIN = "rejourney.example.com";
const HOSTS = { web: DOMAIN, api: `api.${DOMAIN}`, ingest: `ingest.${DOMAIN}` };
const SERVICES = ["api", "web", "ingest-worker", "billing-worker", "alert-worker", "retention-worker"];
const inNamespace = "--namespace=rejourney";

let cluster: TestCluster;
let project: TestProject;
let site: Site;
let env: Record<string, string>;
/** Those of storage_endpoints before its rotation and since. */
let keys: { old: string; key: string };
beforeAll(async () => {
  cluster = await startCluster();
  project = new TestProject();
  project.stack = "prod";
  const { certificate, key } = await pem(DOMAIN, { others: [HOSTS.api, HOSTS.ingest] });
  site = new Site(cluster.traefik, certificate);
  env = {
    ORIGIN_CERTIFICATE: `"${certificate.trim()}"`,
    ORIGIN_PRIVATE_KEY: `"${key.trim()}"`,
  };
  writeEnv();
  writeSettings();
});
afterAll(async () => {
  await cluster?.remove();
  project?.remove();
});

function writeEnv(): void {
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(project.path(".env"), lines.join(""), { mode: 0o600 });
}

/** Sets the stack to the images of the cluster, with other settings besides. */
function writeSettings(others: Record<string, object> = {}): void {
  const { api, web, migration, postgres, redis } = cluster.images;
  const settings = {
    target: "kubernetes",
    release: "1.4.0",
    domain: DOMAIN,
    tls: "cloudflare-origin",
    cloudflare: { proxied: true },
    ...others,
    images: { api, web, migration, postgres, redis, ...others.images },
  };
  const entries = Object.entries(settings).map(([name, value]) => [`rejourney:${name}`, value] as const);
  writeFileSync(project.path("Pulumi.prod.yaml"), yamlText({ config: Object.fromEntries(entries) }));
}

/** A migration that fails until there is a table. */
const GATED = {
  migrateCommand: [
    ...["node", "-e"],
    `const client = new (require("pg").Client)(process.env.DATABASE_URL);
     const work = async () => { await client.connect(); await client.query("select * from gate"); await client.end(); };
     work().catch(({ message }) => { console.error(process.env.DATABASE_URL, message); process.exit(3); });`,
  ],
};

/** `rejourney <verb> --stack prod`. */
function prod(verb: string): Promise<Ran> {
  const yes = ["up", "down"].includes(verb) ? ["--yes"] : [];
  return project.rejourney([verb, "--stack", "prod", ...yes], kubeconfig());
}

const kubeconfig = () => ({ KUBECONFIG: cluster.client.kubeconfig() });

/** The same, which has to work: its standard output. */
async function done(verb: string): Promise<string> {
  const { status, stdout, stderr } = await prod(verb);
  expect(status, `${verb}:\n${stdout}${stderr.split("\n").slice(-30).join("\n")}`).toBe(0);
  return stdout;
}

/** The pods of the stack that are not about to end, by service. */
async function pods(): Promise<Record<string, V1Pod[]>> {
  const selector = encodeURIComponent("app.kubernetes.io/part-of=rejourney");
  const path = `/api/v1/namespaces/rejourney/pods?labelSelector=${selector}`;
  const all = await cluster.client.api().list<V1Pod>(path);
  const current = all.filter(({ metadata }) => metadata!.deletionTimestamp === undefined);
  const services = Object.groupBy(current, ({ metadata }) => metadata!.labels!["app.kubernetes.io/name"]!);
  return services as Record<string, V1Pod[]>;
}

/** Names of the pods of each service that are ready. */
async function names(): Promise<Record<string, string[]>> {
  const isReady = ({ status }: V1Pod) =>
    status!.conditions!.some(({ type, status }) => type === "Ready" && status === "True");
  const entries = Object.entries(await pods()).map(([service, all]) => [
    service,
    all
      .filter(isReady)
      .map(({ metadata }) => metadata!.name!)
      .sort(),
  ]);
  return Object.fromEntries(entries) as Record<string, string[]>;
}

/** What the database of the cluster answers. */
function sql(statement: string): Promise<string> {
  const psql = ["psql", "-U", "rejourney", "-d", "rejourney", "-qAtc", statement];
  return cluster.client.kubectl(["exec", "postgres-0", inNamespace, "--", ...psql]);
}

describe("from nothing", () => {
  test("one command brings every pod up, the migration before all of the application", async () => {
    const stdout = await done("up");
    for (const service of [...SERVICES, "postgres", "redis"])
      expect(stdout).toMatch(new RegExp(`^ +${service} +healthy \\((\\d) of \\1\\)$`, "m"));
    const { migrate, ...others } = await pods();
    const jobs = await cluster.client.get<{ items: V1Job[] }>("jobs", inNamespace);
    expect(jobs.items.map(({ status }) => status!.succeeded)).toEqual([1]);
    const migrated = migrate!.map(
      ({ status }) => status!.containerStatuses![0]!.state!.terminated!.finishedAt!,
    );
    const begun = SERVICES.flatMap((service) =>
      others[service]!.map(({ metadata }) => metadata!.creationTimestamp!),
    );
    expect(begun.sort()[0]! >= migrated.sort().at(-1)!).toBe(true);
  });

  test("every service answers through Traefik at its host name, and the data is where it belongs", async () => {
    // Traefik takes new routes and certificates up within seconds, not at once.
    const status = () =>
      site.ask(`https://${HOSTS.api}/health`).then(
        (answer) => answer.status,
        (error: Error) => error.message,
      );
    await expect.poll(status, { timeout: 30_000 }).toBe(200);
    expect(await site.ask(`https://${HOSTS.api}/health`)).toMatchObject({
      status: 200,
      body: JSON.stringify({ healthy: true, postgres: true, redis: true }),
    });
    expect(await site.ask(`https://${HOSTS.ingest}/health`)).toMatchObject({ status: 200 });
    const dashboard = await site.ask(`https://${HOSTS.web}/`);
    expect(dashboard).toMatchObject({ status: 200 });
    expect(dashboard.headers["strict-transport-security"]).toMatch(/max-age=\d{8}/);
    expect(await site.ask(`http://${HOSTS.web}/path`)).toMatchObject({
      status: 301,
      headers: { location: `https://${HOSTS.web}/path` },
    });
    const made = await site.ask(
      `https://${HOSTS.api}/api/projects`,
      "POST",
      JSON.stringify({ name: "first" }),
    );
    expect(made).toMatchObject({ status: 201 });
    expect(await sql("select name from projects")).toBe("first");
  });

  test("a second run changes nothing", async () => {
    const before = await names();
    expect(await done("up")).toMatch(/^\d+ unchanged$/m);
    expect(await names()).toEqual(before);
  });
});

describe("a change", () => {
  test("of the key of storage_endpoints encrypts every row anew, and restarts those that read it and nobody else", async () => {
    const before = await names();
    const old = (await project.secrets()).STORAGE_ENCRYPTION_KEY!;
    const values = ["first", "second", "third"].map(
      (key) => `('http://s3.test', 'b', '${sealKeyRef(key, old)}')`,
    );
    await sql(`insert into storage_endpoints (endpoint_url, bucket, key_ref) values ${values.join(", ")}`);
    const rotate = ["secrets", "rotate", "STORAGE_ENCRYPTION_KEY", "--stack", "prod", "--yes"];
    const ran = await project.rejourney(rotate, kubeconfig());
    expect(ran.status, ran.stdout + ran.stderr).toBe(0);
    expect(ran.stdout).toContain("Rotated: STORAGE_ENCRYPTION_KEY, with the rows of storage_endpoints (3).");
    expect(ran.stdout).toMatch(/^For [\d.]+ s some services still used the old value/m);
    const { STORAGE_ENCRYPTION_KEY: key = "" } = await project.secrets();
    expect(key).not.toBe(old);
    const rows = (await sql("select key_ref from storage_endpoints")).split("\n");
    expect(rows.map((row) => openKeyRef(row, key)).sort()).toEqual(["first", "second", "third"]);
    const read = ["exec", "deployment/alert-worker", inNamespace, "--", "printenv", "STORAGE_ENCRYPTION_KEY"];
    expect(await cluster.client.kubectl(read)).toBe(key);
    const after = await names();
    const isChanged = (service: string) => before[service]!.join() !== after[service]!.join();
    expect(Object.keys(before).filter(isChanged).sort()).toEqual(
      SERVICES.filter((service) => service !== "web").sort(),
    );
    const finished = await project.rejourney([...rotate, "--finish"], kubeconfig());
    expect(finished, finished.stderr).toMatchObject({ status: 0 });
    keys = { old, key };
  });
});

describe("while the site goes on", () => {
  let asking: Asking;
  beforeAll(() => {
    asking = new Asking(site, `https://${HOSTS.api}/health`);
  });
  afterAll(() => asking.stop());

  /** An `up` that fails: what it says last. The pods of the service are the same as before. */
  async function failed(service: string, others: Record<string, object>): Promise<string> {
    writeSettings(others);
    const before = await names();
    const { status, stderr } = await prod("up");
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect((await names())[service]).toEqual(before[service]);
    return stderr.split("\n").slice(-30).join("\n");
  }

  test("an image that is not there is told with its name, and what fixes it", async () => {
    const told = await failed("api", { images: { api: "example.com/api:9.9.9" } });
    expect(told).toMatch(
      /^ {2}api: its image is not available: .*example\.com\/api:9\.9\.9.* \(2 other pods run\)\.\n {4}Fix: correct rejourney:release or rejourney:images in Pulumi\.prod\.yaml/m,
    );
  });

  test("a migration that fails is told with its last lines, and run again by the same command", async () => {
    expect(await failed("api", GATED)).toMatch(
      /^ {2}migrate: it exits with code 3\.\n {4}Last lines of its log:\n {6}\[redacted\] relation "gate" does not exist\n {4}Fix: /m,
    );
    await sql("create table gate ()");
    await done("up");
    expect((await pods()).migrate!.map(({ status }) => status!.phase)).toEqual(["Succeeded"]);
  });

  test("a quota that leaves no room is told", async () => {
    const metadata = { name: "theirs", namespace: "rejourney" };
    await cluster.client.apply([
      { apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard: { pods: "0" } } },
    ]);
    const known = "--for=jsonpath={.status.hard.pods}=0";
    await cluster.client.kubectl(["wait", "resourcequota/theirs", inNamespace, known, "--timeout=60s"]);
    // With the same migration, which else would be the first to find no room.
    const settings = { ...GATED, services: { "alert-worker": { memory: "300M" } } };
    expect(await failed("alert-worker", settings)).toMatch(
      /^ {2}alert-worker: the cluster rejects another pod: exceeded quota: theirs, .* \(1 other pod runs\)\.\n {4}Fix: /m,
    );
    await cluster.client.kubectl(["delete", "resourcequota", "theirs", inNamespace]);
  });

  test("a service that does not become healthy is told with its last lines", async () => {
    const script = "echo listening nowhere; exec sleep 1000";
    const told = await failed("web", {
      services: { web: { command: ["sh", "-c", script], startSeconds: 10 } },
    });
    expect(told).toMatch(
      /^ {2}web: it did not become healthy within startSeconds: Startup probe failed: .* \(2 other pods run\)\.\n {4}Last lines of its log:\n {6}listening nowhere\n {4}Fix: /m,
    );
  });

  test("an API server that does not answer is told, and the site does not need it", async ({ skip }) => {
    const { server } = cluster;
    if (server === undefined) return skip();
    await server.reachable(false);
    const { status, stderr } = await prod("up");
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toMatch(
      /^The cluster of the stack prod cannot be reached: no answer from .*; nothing was changed\.\n {2}Fix: /m,
    );
    expect(await site.ask(`https://${HOSTS.web}/`)).toMatchObject({ status: 200 });
    await server.reachable(true);
  });

  test("what is fixed goes on from there, and no request has failed", async () => {
    writeSettings();
    expect(await done("up")).toMatch(/^ +web +healthy/m);
    await asking.stop();
    expect(asking.failed).toEqual([]);
    expect(asking.answered).toBeGreaterThan(100);
  });
});

test("down removes what runs, and the data stays", async () => {
  await done("down");
  expect(await pods()).toEqual({});
  const claims = await cluster.client.get<{ items: V1PersistentVolumeClaim[] }>(
    "persistentvolumeclaims",
    inNamespace,
  );
  expect(claims.items.map(({ metadata, status }) => [metadata!.name, status!.phase])).toEqual([
    ["postgres-data", "Bound"],
    ["redis-data", "Bound"],
  ]);
});

test("nothing that was printed holds a secret's value", async () => {
  const secrets = await project.secrets();
  expect(secrets.STORAGE_ENCRYPTION_KEY).toBe(keys.key);
  expect(found({ ...secrets, ...keys }, [["output", project.printed]])).toEqual([]);
});
