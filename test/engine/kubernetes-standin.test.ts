import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../infra/cluster/api.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { ensureEngine } from "../../tools/setup/engine.ts";
import { ended, type Ran, TestProject } from "../project.ts";
import { ApiServer } from "./api-server.ts";
import { StandInNode } from "./node.ts";

// The stand-in for Pulumi's Kubernetes plugin, on the real engine and a real API server, with programs that are not the project's.

const PROGRAM = `
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
export default function program() {
  const { provider: inputs, objects } = JSON.parse(process.env.PROGRAM);
  const provider = new k8s.Provider("cluster", inputs);
  const made = objects.map((object) => new k8s.apiextensions.CustomResource(object.metadata.name, object, { provider }));
  if (made.length < 2) return;
  const data = { uid: made[0].metadata.apply(({ uid }) => uid) };
  const config = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "of-the-first", namespace: "default" }, data };
  new k8s.apiextensions.CustomResource("of-the-first", config, { provider });
}
`;
const FORCED = { enablePatchForce: true, upsertExistingObjects: true, enableConfigMapMutable: true };

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
const config = (data: object) => object("v1", "ConfigMap", "settings", { data });
const pods = (image: string) => ({
  metadata: { labels: { "app.kubernetes.io/name": "app" } },
  spec: { containers: [{ name: "app", image, resources: { requests: { cpu: 0.5, memory: "1024Mi" } } }] },
});
const deployment = (image: string, spec: object = {}) =>
  object("apps/v1", "Deployment", "app", {
    spec: {
      selector: { matchLabels: { "app.kubernetes.io/name": "app" } },
      progressDeadlineSeconds: 3,
      template: pods(image),
      ...spec,
    },
  });

async function start(
  args: readonly string[],
  objects: readonly object[],
  provider: object,
): Promise<ChildProcess> {
  const { pulumi: cli } = await ensureEngine(() => {});
  const path = [
    join(projectRoot, "node_modules", ".bin"),
    process.env.PATH,
    join(projectRoot, "tools", "standins", "bin"),
  ];
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
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PROGRAM: JSON.stringify({ provider, objects }),
    },
  });
}

async function pulumi(
  args: readonly string[],
  objects: readonly object[] = [],
  provider: object = FORCED,
): Promise<Ran> {
  return ended(await start(args, objects, provider));
}

async function works(...args: Parameters<typeof pulumi>): Promise<string> {
  const { status, stdout, stderr } = await pulumi(...args);
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

const UP = ["up", "--yes", "--skip-preview", "--stack", "prod"];
const up = (objects: readonly object[], provider?: object) => works(UP, objects, provider);
/** The same, which has to fail: what it says. */
async function fails(objects: readonly object[], provider?: object): Promise<string> {
  const { status, stdout } = await pulumi(UP, objects, provider);
  expect(status, stdout).not.toBe(0);
  return stdout;
}
const settings = () => server.get<KubernetesObject & { data: object }>("configmap", "settings");

describe("the stand-in for the Kubernetes plugin", () => {
  test("previews what is not known yet, finds no drift in how a value is written, and makes a Job anew", async () => {
    const job = (command: string) =>
      object("batch/v1", "Job", "task", {
        spec: {
          template: {
            spec: { restartPolicy: "Never", containers: [{ name: "a", image: "a", command: [command] }] },
          },
        },
      });
    const all = [config({ a: "1" }), deployment("a"), job("one")];
    const preview = await works(["preview", "--stack", "prod"], all);
    expect(preview).toContain("+ 6 to create");
    await up(all);
    expect(await works([...UP, "--refresh"], all)).toMatch(/Resources:\n +6 unchanged/);
    const changed = await works([...UP, "--diff"], [config({ a: "2" }), deployment("a"), job("two")]);
    expect(changed).toMatch(/~ a: "1" => "2"/);
    expect(changed).toContain("~ 1 updated\n");
    expect(changed).toContain("+-1 replaced\n");
    const task = await server.get<{ spec: { template: { spec: { containers: { command: string[] }[] } } } }>(
      "job",
      "task",
    );
    expect(task.spec.template.spec.containers[0]!.command).toEqual(["two"]);
  });

  test("catches a field that does not exist, in the preview too", async () => {
    const typo = [deployment("a", { replica: 2 })];
    const { status, stdout } = await pulumi(["preview", "--stack", "prod"], typo);
    expect(status).not.toBe(0);
    expect(stdout).toContain(".spec.replica: field not declared in schema");
    expect(await fails(typo)).toContain(".spec.replica: field not declared in schema");
  });

  test("takes over what others have set, where the provider says so", async () => {
    const theirs = JSON.stringify(config({ a: "theirs" }));
    await server.kubectl(["apply", "--server-side", "--filename=-"], theirs);
    expect(await fails([config({ a: "ours" })], {})).toContain("ConfigMap default/settings already exists");
    expect(await fails([config({ a: "ours" })], { upsertExistingObjects: true })).toContain(
      'conflict with "kubectl"',
    );
    expect((await settings()).data).toEqual({ a: "theirs" });
    await up([config({ a: "ours" })]);
    expect((await settings()).data).toEqual({ a: "ours" });
  });

  test("does not take a rollout for ready that is stuck, nor after a refresh; and goes on once it can", async () => {
    node.failing.add("app");
    const stuck = await fails([deployment("a")]);
    expect(stuck).toContain("Deployment app has failed: ProgressDeadlineExceeded");
    expect(stuck).toContain("container app ended with 1 (Error)");
    await works(["refresh", "--yes", "--skip-preview", "--stack", "prod"]);
    expect(await fails([deployment("a")])).toContain("Deployment app has failed");
    node.failing.clear();
    await up([deployment("b")]);
    const { status } = await server.get<KubernetesObject>("deployment", "app");
    expect(status).toMatchObject({ availableReplicas: 1, updatedReplicas: 1 });
  });

  test("goes on with a deletion that was killed while a finalizer held it", async () => {
    await up([config({ a: "1" })]);
    const holding = (finalizers: readonly string[]) =>
      server.kubectl([
        "patch",
        "configmap",
        "settings",
        "--type=merge",
        "--patch",
        JSON.stringify({ metadata: { finalizers } }),
      ]);
    await holding(["example.com/held"]);
    const child = await start(UP, [], FORCED);
    const ran = ended(child);
    while ((await settings()).metadata.deletionTimestamp === undefined) await sleep(100);
    process.kill(-child.pid!, "SIGKILL");
    await ran;
    await works(["cancel", "--yes", "--stack", "prod"]);
    await holding([]);
    await up([config({ a: "2" })]);
    expect((await settings()).data).toEqual({ a: "2" });
    expect(await up([config({ a: "2" })])).toMatch(/Resources:\n +3 unchanged/);
  });
});
