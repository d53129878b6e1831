import { once } from "node:events";
import { writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { parse } from "dotenv";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import { TestProject } from "../project.ts";
import { containers, docker, eventually, freePort, isDown, removeAll, testName } from "./host.ts";
import { keysIn } from "./s3.ts";

// The rendered file, brought up by hand as docs/single-node.md has it; each test goes on from where the one before left.

const FILE = "docker-compose.selfhosted.yml";
const OVERRIDE = ".rejourney/selfhosted/images.yml";
const RUNNING = [
  ...[
    "alert-worker",
    "api",
    "ingest-worker",
    "postgres",
    "redis",
    "retention-worker",
    "storage",
    "traefik",
    "web",
  ],
];
const ONCE = ["migrate", "prepare-volumes"];

const name = testName();
let project: TestProject;
let port = 0;

beforeAll(async () => {
  project = new TestProject();
  port = await freePort();
});
afterAll(async () => {
  await removeAll(name);
  project.remove();
});

/** Settings of the stack; the port and the name are a test's own, so that it meets no other deployment. */
async function settings(...lines: string[]): Promise<void> {
  const own = ["target: docker", `projectName: ${name}`, ...lines];
  const text = own.map((line) => `  rejourney:${line}\n`).join("");
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), `config:\n${text}`);
  expect(await project.rejourney(["render"])).toMatchObject({ status: 0 });
}

/** `docker compose` on the rendered file and the images of `setup`. */
function compose(...args: string[]) {
  const files = [FILE, OVERRIDE].flatMap((file) => ["-f", file]);
  return execa("docker", ["compose", ...files, "--env-file", ".env", ...args], {
    cwd: project.folder,
    reject: false,
  });
}

async function up() {
  const { exitCode, stderr } = await compose("up", "-d", "--wait");
  expect(exitCode, stderr).toBe(0);
}

/** Asks Traefik for `http://localhost:<port><path>`. */
const ask = (path: string, init: RequestInit = {}) => fetch(`http://localhost:${port}${path}`, init);
/** Asks Traefik by TLS, whatever its certificate: one for the name cannot be had here. */
async function getSecurely({ host, path, port }: { host: string; path: string; port: number }) {
  const options = {
    host: "127.0.0.1",
    port,
    path,
    servername: host,
    headers: { host },
    rejectUnauthorized: false,
  };
  const asked = request(options).end();
  const [answer] = (await once(asked, "response")) as [IncomingMessage];
  return { headers: answer.headers, body: await text(answer) };
}
const sql = (statement: string) =>
  docker(["exec", `${name}-postgres-1`, "psql", "-U", "rejourney", "-d", "rejourney", "-Atc", statement]);

describe("before anything runs", () => {
  test("setup makes the images of the release `sample` and names them in a Compose file", async () => {
    writeFileSync(project.path(".env"), "REJOURNEY_RELEASE=sample\n", { mode: 0o600 });
    await settings(`httpPort: ${port}`);
    const { status, stdout } = await project.rejourney(["setup", "--yes"]);
    expect(status).toBe(0);
    expect(stdout).toBe(`Docker and the images are installed. Next:
  npx rejourney secrets generate
  docker compose -f ${FILE} -f ${OVERRIDE} --env-file .env up -d --wait
`);
    const { services } = parseYaml(project.read(OVERRIDE)) as { services: Record<string, { image: string }> };
    expect(Object.keys(services).sort()).toEqual([...RUNNING, ...ONCE].sort());
    for (const [service, entry] of Object.entries(services)) {
      expect(Object.keys(entry), service).toEqual(["image"]);
      expect(entry.image).toMatch(
        /^rejourney-sample\/(api|web|migration|postgres|redis|storage|traefik):[0-9a-f]{12}$/,
      );
      expect(await docker(["image", "inspect", "--format={{.Os}}", entry.image])).toBe("linux");
    }
  });

  test("Compose names what is missing in .env, and takes the file once it is there", async () => {
    const without = await compose("config", "--quiet");
    expect(without.exitCode).not.toBe(0);
    expect(without.stderr).toContain("is missing, run: npx rejourney secrets generate");
    expect((await project.rejourney(["secrets", "generate"])).status).toBe(0);
    const images = await compose("config", "--images");
    expect(images.exitCode).toBe(0);
    expect(new Set(images.stdout.split("\n").map((image) => image.split(":")[0])).size).toBe(7);
    // Without the images of `setup`, it is the official ones, of that release.
    const official = await execa(
      "docker",
      ["compose", "-f", FILE, "--env-file", ".env", "config", "--images"],
      {
        cwd: project.folder,
        env: { REJOURNEY_RELEASE: "1.4.0" },
      },
    );
    expect(official.stdout.split("\n")).toEqual(
      expect.arrayContaining(["ghcr.io/rejourneyco/rejourney/api:1.4.0", "postgres:18.6", "traefik:v3.5.4"]),
    );
  });
});

describe("a single node", () => {
  test("has every service healthy after one `up`", async () => {
    await up();
    const all = await containers(name);
    expect(Object.keys(all)).toEqual([...RUNNING, ...ONCE].sort());
    for (const service of RUNNING) expect(all[service]!.State.Health?.Status, service).toBe("healthy");
    for (const service of ONCE)
      expect(all[service]!.State, service).toMatchObject({ Status: "exited", ExitCode: 0 });
  }, 180_000);

  test("serves web and API through Traefik, and other hosts not", async () => {
    const web = await ask("/");
    expect(web.status).toBe(200);
    expect(await web.text()).toContain("<h1>");
    expect(web.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await (await ask("/health")).json()).toEqual({ healthy: true, postgres: true, redis: true });
    expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
  });

  let id = "";
  const body = "a recording";
  const recording = () => `/api/projects/${id}/recordings/one`;

  test("keeps a recording in the bucket and lists it in PostgreSQL", async () => {
    const made = await ask("/api/projects", { method: "POST", body: JSON.stringify({ name: "first" }) });
    ({ id } = (await made.json()) as { id: string });
    expect((await ask(recording(), { method: "PUT", body })).status).toBe(201);
    const env = parse(project.read(".env"));
    const access = { accessKeyId: env.S3_ACCESS_KEY_ID!, secretAccessKey: env.S3_SECRET_ACCESS_KEY! };
    // By the host that browsers use, through Traefik.
    expect(await keysIn({ url: `http://s3.localhost:${port}`, ...access }, "rejourney")).toEqual([
      `projects/${id}/one`,
    ]);
    const wrong = { ...access, secretAccessKey: "f".repeat(64) };
    await expect(keysIn({ url: `http://s3.localhost:${port}`, ...wrong }, "rejourney")).rejects.toMatchObject(
      {
        name: "SignatureDoesNotMatch",
      },
    );
    expect(await sql("SELECT project_id, object_key, bucket, size FROM recordings")).toBe(
      `${id}|one|rejourney|${body.length}`,
    );
    await eventually(20, async () => expect(await sql("SELECT status FROM recordings")).toBe("processed"));
    expect(await (await ask(recording())).text()).toBe(body);
  });

  test("confines every container and publishes Traefik alone, on this machine", async () => {
    const all = await containers(name);
    for (const [service, { Config, HostConfig }] of Object.entries(all)) {
      if (service !== "prepare-volumes") expect(Config.User, service).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      expect(HostConfig, service).toMatchObject({
        ReadonlyRootfs: true,
        Privileged: false,
        CapDrop: ["ALL"],
        CapAdd: service === "prepare-volumes" ? ["CAP_CHOWN", "CAP_DAC_OVERRIDE"] : null,
        NetworkMode: service === "prepare-volumes" ? "none" : (expect.stringContaining(name) as string),
        PidsLimit: 512,
      });
      expect(HostConfig.SecurityOpt, service).toEqual(["no-new-privileges=true"]);
      expect(HostConfig.Memory, service).toBeGreaterThan(0);
      expect(HostConfig.LogConfig.Config, service).toEqual({ "max-size": "10m", "max-file": "3" });
      expect(JSON.stringify(HostConfig), service).not.toContain("docker.sock");
    }
    const published = Object.entries(all).flatMap(([service, { NetworkSettings }]) =>
      Object.values(NetworkSettings.Ports).flatMap((ports) =>
        (ports ?? []).map((at) => ({ service, ...at })),
      ),
    );
    expect(published).toEqual([{ service: "traefik", HostIp: "127.0.0.1", HostPort: String(port) }]);
    for (const service of RUNNING) {
      const status = await docker(["exec", all[service]!.Id, "cat", "/proc/1/status"]);
      expect(status, service).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status, service).toMatch(/^CapEff:\s+0+$/m);
    }
  });

  test("lets only those reach the data that need it", async () => {
    const reaches = async (from: string, host: string, at: number) => {
      const script = `require("net").connect(${at},"${host}").on("connect",()=>process.exit(0)).on("error",()=>process.exit(1))`;
      const args = ["exec", `${name}-${from}-1`, "node", "-e", script];
      return (await execa("docker", args, { reject: false })).exitCode === 0;
    };
    for (const [host, at] of [
      ["postgres", 5432],
      ["redis", 6379],
      ["storage", 7070],
    ] as const) {
      expect(await reaches("api", host, at), `api to ${host}`).toBe(true);
      expect(await reaches("ingest-worker", host, at), `ingest-worker to ${host}`).toBe(true);
    }
    expect(await reaches("web", "api", 3000)).toBe(true);
    expect(await reaches("web", "postgres", 5432)).toBe(false);
    expect(await reaches("web", "redis", 6379)).toBe(false);
  });

  test("recreates nothing at a second `up`", async () => {
    const ids = async () =>
      Object.entries(await containers(name)).map(([service, { Id }]) => `${service} ${Id}`);
    const before = await ids();
    await up();
    expect(await ids()).toEqual(before);
  }, 120_000);

  test("keeps what it holds when it is taken down, and serves it on a domain", async () => {
    expect(isDown(await compose("down"))).toBe(true);
    const https = await freePort();
    const domain = "rejourney.example.com";
    await settings(
      `httpPort: ${port}`,
      `httpsPort: ${https}`,
      `domain: ${domain}`,
      "acmeEmail: you@example.com",
    );
    expect((await project.rejourney(["setup", "--yes"])).status).toBe(0);
    await up();
    const get = (host: string, path: string) => getSecurely({ host, path, port: https });
    const redirect = await fetch(`http://127.0.0.1:${port}/some`, { redirect: "manual" });
    expect(redirect.headers.get("location")).toBe(`https://127.0.0.1:${https}/some`);
    const web = await get(domain, "/");
    expect(web.body).toContain("<h1>");
    expect(web.headers["strict-transport-security"]).toMatch(/^max-age=\d+$/);
    expect((await get(`api.${domain}`, "/health")).body).toContain('"healthy":true');
    expect((await get(`ingest.${domain}`, "/health")).body).toContain('"healthy":true');
    expect((await get(`s3.${domain}`, "/")).body).toContain("AccessDenied");
    expect((await get(`api.${domain}`, recording())).body).toBe(body);
  }, 180_000);

  test("leaves nothing after `down --volumes`", async () => {
    const down = await compose("down", "--volumes");
    expect(isDown(down)).toBe(true);
    for (const kind of ["container", "volume", ...(down.exitCode === 0 ? ["network"] : [])])
      expect(
        await docker([
          kind,
          "ls",
          "--quiet",
          ...(kind === "container" ? ["--all"] : []),
          `--filter=name=${name}`,
        ]),
      ).toBe("");
  });
});
