import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../infra/cluster/api.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { ensureEngine, standInFolder } from "../../tools/setup/engine.ts";
import { pulumiHome } from "../../tools/setup/plugins.ts";
import { ended, type Ran, TestProject } from "../project.ts";
import { ApiServer } from "./api-server.ts";
import { StandInNode } from "./node.ts";

// How objects are registered, on Pulumi's own Kubernetes plugin and a real API server, with programs that are not the
// project's.

const PROGRAM = `
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { register } from "../infra/cluster/register.ts";
export default function program() {
  const provider = new k8s.Provider("cluster", { enableSecretMutable: true });
  for (const object of JSON.parse(process.env.OBJECTS)) {
    const { data, metadata } = object;
    const secret = data === undefined ? {} : { data: pulumi.secret(data) };
    register(metadata.name, { ...object, ...secret }, { provider });
  }
}
`;

let server: ApiServer;
let node: StandInNode;
let project: TestProject;
beforeAll(async () => {
  server = await ApiServer.start({ controllers: true });
  node = new StandInNode(server.api());
});
afterAll(async () => {
  await node.stop();
  await server.remove();
});
beforeEach(async () => {
  project = new TestProject();
  mkdirSync(project.path("state"));
  writeFileSync(project.path("stacks", "index.ts"), PROGRAM);
  await works(["stack", "init", "prod"]);
  return async () => {
    await pulumi(["destroy", "--yes", "--skip-preview", "--stack", "prod"]);
    project.remove();
  };
});

const object = (apiVersion: string, kind: string, name: string, rest: object) =>
  ({ apiVersion, kind, metadata: { name, namespace: "default" }, ...rest }) as KubernetesObject;
const secret = (data: Record<string, string>, type = "Opaque") =>
  object("v1", "Secret", "settings", { type, data });
const encoded = (text: string) => Buffer.from(text).toString("base64");
const deployment = (image: string, spec: object = {}) =>
  object("apps/v1", "Deployment", "app", {
    spec: {
      selector: { matchLabels: { "app.kubernetes.io/name": "app" } },
      progressDeadlineSeconds: 3,
      template: {
        metadata: { labels: { "app.kubernetes.io/name": "app" } },
        spec: {
          containers: [{ name: "app", image, resources: { requests: { cpu: 0.5, memory: "1024Mi" } } }],
        },
      },
      ...spec,
    },
  });
const job = (command: string) =>
  object("batch/v1", "Job", "task", {
    spec: {
      template: {
        spec: { restartPolicy: "Never", containers: [{ name: "a", image: "a", command: [command] }] },
      },
    },
  });

async function start(args: readonly string[], objects: readonly object[]): Promise<ChildProcess> {
  const { pulumi: cli, standIns } = await ensureEngine(["kubernetes"], () => {});
  const path = [join(projectRoot, "node_modules", ".bin"), ...standIns.map(standInFolder), process.env.PATH];
  return spawn(cli, [...args, "--non-interactive"], {
    cwd: project.folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      HOME: process.env.HOME,
      PATH: path.join(delimiter),
      KUBECONFIG: server.kubeconfig(),
      PULUMI_BACKEND_URL: `file://${project.path("state")}`,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase",
      PULUMI_HOME: pulumiHome(),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      OBJECTS: JSON.stringify(objects),
    },
  });
}

async function pulumi(args: readonly string[], objects: readonly object[] = []): Promise<Ran> {
  return ended(await start(args, objects));
}

async function works(...args: Parameters<typeof pulumi>): Promise<string> {
  const { status, stdout, stderr } = await pulumi(...args);
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

const UP = ["up", "--yes", "--skip-preview", "--stack", "prod"];
const up = (...objects: readonly object[]) => works(UP, objects);
/** The same, which has to fail: what it says. */
async function fails(...objects: readonly object[]): Promise<string> {
  const { status, stdout } = await pulumi(UP, objects);
  expect(status, stdout).not.toBe(0);
  return stdout;
}
const live = () => server.get<KubernetesObject & { data?: object }>("secret", "settings");
const UNCHANGED = (count: number) => new RegExp(`Resources:\\n +${count} unchanged\\n`);

describe("objects", () => {
  test("show no drift in how a value is written; a Job is made anew, and so is what cannot be updated", async () => {
    const all = [secret({ a: encoded("1") }), deployment("a"), job("one")];
    expect(await works(["preview", "--stack", "prod"], all)).toContain("+ 5 to create");
    await up(...all);
    expect(await works([...UP, "--refresh"], all)).toMatch(UNCHANGED(5));
    const { uid } = (await live()).metadata;
    const changed = await up(secret({ a: encoded("2") }), deployment("a"), job("two"));
    expect(changed).toContain("~ 1 updated\n");
    expect(changed).toContain("+-1 replaced\n");
    expect((await live()).metadata.uid).toBe(uid);
    const task = await server.get<{ spec: { template: { spec: { containers: { command: string[] }[] } } } }>(
      "job",
      "task",
    );
    expect(task.spec.template.spec.containers[0]!.command).toEqual(["two"]);
    expect(await up(secret({ a: encoded("2") }, "example.com/own"))).toContain("+-1 replaced\n");
    expect(await live()).toMatchObject({ type: "example.com/own", data: { a: encoded("2") } });
  });

  test("are taken over from others who have made them, and what others have changed is set back", async () => {
    const theirs = (value: string) => JSON.stringify(secret({ a: encoded(value) }));
    await server.kubectl(["apply", "--server-side", "--filename=-"], theirs("theirs"));
    const { uid } = (await live()).metadata;
    await up(secret({ a: encoded("ours") }));
    expect(await live()).toMatchObject({ metadata: { uid }, data: { a: encoded("ours") } });
    const others = ["--server-side", "--force-conflicts", "--field-manager=others"];
    await server.kubectl(["apply", ...others, "--filename=-"], theirs("theirs again"));
    await works([...UP, "--refresh"], [secret({ a: encoded("ours") })]);
    expect((await live()).data).toEqual({ a: encoded("ours") });
  });

  test("that are stuck end the run, and the same run again, after a refresh too; the next image resumes it", async () => {
    node.failing.add("app");
    const stuck = (image: string) => {
      const { metadata, ...rest } = deployment(image);
      return { ...rest, metadata: { ...metadata, annotations: { "pulumi.com/timeoutSeconds": "6" } } };
    };
    expect(await fails(stuck("a"))).toContain("Deployment does not have minimum availability");
    await pulumi(["refresh", "--yes", "--skip-preview", "--stack", "prod"]);
    expect(await fails(stuck("a"))).toContain("Deployment does not have minimum availability");
    node.failing.clear();
    await up(stuck("b"));
    const { status } = await server.get<KubernetesObject>("deployment", "app");
    expect(status).toMatchObject({ availableReplicas: 1, updatedReplicas: 1 });
  });

  test("whose deletion was killed while a finalizer held it are made again", async () => {
    await up(secret({ a: encoded("1") }));
    const holding = (finalizers: readonly string[]) =>
      server.kubectl([
        "patch",
        "secret",
        "settings",
        "--type=merge",
        "--patch",
        JSON.stringify({ metadata: { finalizers } }),
      ]);
    await holding(["example.com/held"]);
    const child = await start(UP, []);
    const ran = ended(child);
    while ((await live()).metadata.deletionTimestamp === undefined) await sleep(100);
    process.kill(-child.pid!, "SIGKILL");
    await ran;
    await works(["cancel", "--yes", "--stack", "prod"]);
    await holding([]);
    await works([...UP, "--refresh"], [secret({ a: encoded("2") })]);
    expect((await live()).data).toEqual({ a: encoded("2") });
    expect(await up(secret({ a: encoded("2") }))).toMatch(UNCHANGED(3));
  });
});

describe("a Secret", () => {
  const state = () => project.read("state", ".pulumi", "stacks", "rejourney", "prod.json");

  test("without a value is there and stays unchanged; it takes values and gives them up", async () => {
    await up(secret({}));
    expect((await live()).data).toBeUndefined();
    expect(await up(secret({}))).toMatch(UNCHANGED(3));
    expect(await works([...UP, "--refresh"], [secret({})])).toMatch(UNCHANGED(3));
    await up(secret({ a: encoded("1"), b: encoded("2") }));
    expect((await live()).data).toEqual({ a: encoded("1"), b: encoded("2") });
    await up(secret({}));
    expect((await live()).data).toBeUndefined();
    expect(await up(secret({}))).toMatch(UNCHANGED(3));
  });

  test("is encrypted in the state, and hidden in every diff; so is the copy of its values that kubectl leaves", async () => {
    const theirs = secret({ a: encoded("theirs-in-plain") });
    await server.kubectl(["apply", "--filename=-"], JSON.stringify(theirs));
    const values = ["theirs-in-plain", "ours-in-plain", "changed-in-plain"];
    let shown = await works([...UP, "--diff"], [secret({ a: encoded("ours-in-plain") })]);
    shown += await works(["refresh", "--yes", "--diff", "--stack", "prod"], []);
    shown += await works([...UP, "--diff"], [secret({ a: encoded("changed-in-plain") })]);
    expect(await live()).toMatchObject({ data: { a: encoded("changed-in-plain") } });
    for (const value of values)
      for (const form of [value, encoded(value)]) {
        expect(shown).not.toContain(form);
        expect(state()).not.toContain(form);
      }
  });
});

test("an Ingress whose controller publishes no address does not hold up the run", async () => {
  const backend = { service: { name: "app", port: { number: 80 } } };
  const paths = [{ path: "/", pathType: "Prefix", backend }];
  const ingress = object("networking.k8s.io/v1", "Ingress", "app", {
    spec: { rules: [{ host: "r.example.com", http: { paths } }] },
  });
  await up(ingress);
  expect(await server.get<KubernetesObject>("ingress", "app")).toMatchObject({
    status: { loadBalancer: {} },
  });
  expect(await works([...UP, "--refresh"], [ingress])).toMatch(UNCHANGED(3));
});
