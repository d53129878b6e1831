import { spawn } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";
import { ensureEngine, standInFolder } from "../../tools/setup/engine.ts";
import { pulumiHome } from "../../tools/setup/plugins.ts";
import { ended, type Ran, TestProject } from "../project.ts";

// The life of DNS records on the real engine, in order, with a stand-in for Cloudflare (cloudflare.ts).

const ZONE = "0123456789abcdef0123456789abcdef";
const PROGRAM = `
import * as pulumi from "@pulumi/pulumi";
import * as cloudflare from "@pulumi/cloudflare";
import { DnsRecords } from "../infra/edge/dns.ts";
import { parseEnvFile } from "../infra/settings/env.ts";
import { loadKubernetesSettings } from "../infra/settings/load.ts";
export default async function program() {
  const cloudflare = { zoneId: "${ZONE}", addresses: process.env.ADDRESSES.split(",") };
  const config = { target: "kubernetes", domain: "r.example.com", release: "1", acmeEmail: "a@example.com", cloudflare };
  const settings = loadKubernetesSettings({ stack: "prod", config, env: parseEnvFile("") });
  // As the secrets of a stack are kept.
  const { output } = new pulumi.Stash("token", { input: pulumi.secret(process.env.TOKEN) });
  if (process.env.LAYOUT === "before") return asBefore(output);
  const register = await new DnsRecords("rejourney-dns", { settings, token: output }).lookUp();
  register(new pulumi.ComponentResource("test:Deployment", "rejourney"));
}

// What earlier versions have left in a state: provider and origin at its root.
function asBefore(apiToken) {
  const provider = new cloudflare.Provider("rejourney-cloudflare", { apiToken });
  const dns = new pulumi.ComponentResource("rejourney:edge:DnsRecords", "rejourney-dns");
  const deployment = new pulumi.ComponentResource("test:Deployment", "rejourney");
  for (const owner of ["web", "api", "ingest"]) {
    const key = owner + "-203.0.113.10";
    const name = owner === "web" ? "r.example.com" : owner + ".r.example.com";
    new pulumi.Stash("rejourney-dns-" + key + "-origin", { input: "made" }, { ignoreChanges: ["input"] });
    const record = { zoneId: "${ZONE}", name, type: "A", content: "203.0.113.10" };
    const rest = { proxied: true, ttl: 1, comment: "rejourney prod" };
    const opts = { parent: dns, provider, dependsOn: deployment, retainOnDelete: false };
    new cloudflare.DnsRecord("rejourney-dns-" + key, { ...record, ...rest }, opts);
  }
}
`;

interface DnsRecord {
  id: string;
  name: string;
  type?: string;
  content: string;
  comment?: string | undefined;
}

let project: TestProject;
let records: string;
let layout = "";
beforeAll(async () => {
  project = new TestProject();
  mkdirSync(project.path("test", "engine"), { recursive: true });
  mkdirSync(project.path("bin"));
  mkdirSync(project.path("state"));
  writeFileSync(project.path("stacks", "index.ts"), PROGRAM);
  const standIn = join(projectRoot, "test", "engine", "cloudflare.ts");
  const plugin = project.path("bin", "pulumi-resource-cloudflare");
  writeFileSync(plugin, `#!/bin/sh\nexec ${process.execPath} ${standIn} "$@"\n`);
  chmodSync(plugin, 0o755);
  records = project.path("records.json");
  write([]);
  expect(await pulumi(["stack", "init", "prod"])).toMatchObject({ status: 0 });
});
afterAll(() => project.remove());

const write = (all: readonly DnsRecord[]) => writeFileSync(records, JSON.stringify(all));
const read = () => JSON.parse(readFileSync(records, "utf8")) as DnsRecord[];
/** What is at Cloudflare, as `name content`. */
const shown = () =>
  read()
    .map(({ name, content }) => `${name.split(".")[0]} ${content}`)
    .sort();

async function pulumi(
  args: readonly string[],
  addresses = "203.0.113.10",
  token = "a-token-of-cloudflare",
): Promise<Ran> {
  const { pulumi: cli, standIns } = await ensureEngine([], () => {});
  return ended(
    spawn(cli, [...args, "--non-interactive"], {
      cwd: project.folder,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        HOME: process.env.HOME,
        PATH: [
          project.path("bin"),
          join(projectRoot, "node_modules", ".bin"),
          ...standIns.map(standInFolder),
          process.env.PATH,
        ].join(delimiter),
        PULUMI_BACKEND_URL: `file://${project.path("state")}`,
        PULUMI_CONFIG_PASSPHRASE: "a passphrase",
        PULUMI_HOME: pulumiHome(),
        PULUMI_SKIP_UPDATE_CHECK: "true",
        CLOUDFLARE_RECORDS: records,
        ADDRESSES: addresses,
        TOKEN: token,
        LAYOUT: layout,
      },
    }),
  );
}

async function up(addresses?: string): Promise<string> {
  const { status, stdout, stderr } = await pulumi(
    ["up", "--yes", "--skip-preview", "--stack", "prod"],
    addresses,
  );
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

test("without a token the run ends before anything, and says what is missing", async () => {
  const { status, stdout } = await pulumi(["preview", "--stack", "prod"], undefined, "");
  expect(status).not.toBe(0);
  expect(stdout).toContain("CLOUDFLARE_API_TOKEN has no value, but rejourney:cloudflare has a zoneId. Fix:");
});

test("a conflict shows in the first preview", async () => {
  write([{ id: "of-others", name: "r.example.com", type: "A", content: "198.51.100.7" }]);
  const { status, stdout } = await pulumi(["preview", "--stack", "prod"]);
  expect(status).not.toBe(0);
  expect(stdout).toContain("r.example.com has a record (A 198.51.100.7) that this stack did not create");
});

test("a stack of an earlier version keeps its records, and what is known of them", async () => {
  layout = "before";
  write([]);
  await up();
  const before = read();
  expect(before).toHaveLength(3);
  layout = "";
  expect(await up()).not.toMatch(/created|deleted|imported|replaced/);
  expect(read()).toEqual(before);
  expect(await up()).not.toMatch(/created|updated|deleted|imported|replaced/);
  const { status } = await pulumi(["destroy", "--yes", "--skip-preview", "--stack", "prod"]);
  expect([status, read()]).toEqual([0, []]);
});

test("records are made, one that is there is adopted, and a second run changes nothing", async () => {
  const there = {
    ...{ id: "one-by-hand", name: "api.r.example.com", type: "A", content: "203.0.113.10" },
    ...{ proxied: true, ttl: 300, comment: "by hand" },
  };
  write([there]);
  const first = await up();
  expect(first).toMatch(/= 1 imported/);
  expect(shown()).toEqual(["api 203.0.113.10", "ingest 203.0.113.10", "r 203.0.113.10"]);
  expect(read()).toContainEqual(there);
  const before = read();
  expect(await up()).not.toMatch(/created|updated|deleted|imported|replaced/);
  expect(read()).toEqual(before);
});

test("a record of the stack whose comment somebody removes is neither imported nor deleted", async () => {
  const cleared = read().map((record) =>
    record.name === "r.example.com" ? { ...record, comment: "" } : record,
  );
  write(cleared);
  await up();
  expect(shown()).toEqual(["api 203.0.113.10", "ingest 203.0.113.10", "r 203.0.113.10"]);
  expect(read().map(({ id }) => id)).toEqual(cleared.map(({ id }) => id));
  // Put back, since by now it would be in the way of another address.
  write(cleared.map((record) => (record.comment === "" ? { ...record, comment: "rejourney prod" } : record)));
});

test("another address is refused while a record of somebody else would be left behind", async () => {
  const before = read();
  const { status, stdout } = await pulumi(
    ["up", "--yes", "--skip-preview", "--stack", "prod"],
    "203.0.113.20",
  );
  expect(status).not.toBe(0);
  expect(stdout).toContain(
    "api.r.example.com has a record (A 203.0.113.10) that this stack did not create. Fix: at Cloudflare, remove the record, or set it to 203.0.113.20, so that the stack adopts it",
  );
  expect(read()).toEqual(before);
});

test("once that one points there, the others follow: new ones first, and the old ones go", async () => {
  write(
    read().map((record) => (record.id === "one-by-hand" ? { ...record, content: "203.0.113.20" } : record)),
  );
  await up("203.0.113.20");
  expect(shown()).toEqual(["api 203.0.113.20", "ingest 203.0.113.20", "r 203.0.113.20"]);
  expect(read().map(({ id }) => id)).toContain("one-by-hand");
});

test("a second node is a second record, and goes again", async () => {
  await up("203.0.113.20,2001:db8::1");
  expect(shown()).toHaveLength(6);
  await up("203.0.113.20");
  expect(shown()).toEqual(["api 203.0.113.20", "ingest 203.0.113.20", "r 203.0.113.20"]);
});

test("with the stack go the records that it has made, and no other; no file ever held the token", async () => {
  for (const text of project.files("state").values()) expect(text).not.toContain("a-token-of-cloudflare");
  const { status, stderr } = await pulumi(
    ["destroy", "--yes", "--skip-preview", "--stack", "prod"],
    "203.0.113.20",
  );
  expect({ status, stderr }).toMatchObject({ status: 0 });
  expect(read().map(({ id }) => id)).toEqual(["one-by-hand"]);
});
