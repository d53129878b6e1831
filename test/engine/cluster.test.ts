import { setTimeout as sleep } from "node:timers/promises";
import { readFileSync, writeFileSync } from "node:fs";
import type { V1Pod } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../infra/cluster/api.ts";
import { parse } from "dotenv";
import { ended, type Ran, TestProject } from "../project.ts";
import { found } from "../search.ts";
import { STAND_IN } from "../../tools/standins/mark.ts";
import { OTHER } from "../unit/values.ts";
import { ApiServer } from "./api-server.ts";
import { StandInNode } from "./node.ts";
import { RENDERED, renderedObjects } from "./rendered.ts";

// The life of the stack prod on a real API server with its controllers, in order. No container runs.

const STORAGE_NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels: { "rejourney.co/storage-node": "true" } },
};
/** Every workload and how many pods it has at least. */
const PODS = {
  ...{ api: 2, web: 2, "ingest-worker": 2 },
  ...{ "billing-worker": 1, "alert-worker": 1, "retention-worker": 1, postgres: 1, redis: 1 },
};

let server: ApiServer;
let node: StandInNode;
let project: TestProject;
let kubeconfig: string;
beforeAll(async () => {
  server = await ApiServer.start({ controllers: true });
  node = new StandInNode(server.api());
  project = new TestProject();
  project.stack = "prod";
  writeFileSync(project.path(".env"), "SMTP_PASS=a-mail-password\n", { mode: 0o600 });
  kubeconfig = server.kubeconfig();
});
afterAll(async () => {
  await node.stop();
  await server.remove();
  project.remove();
});

/** `rejourney <verb> --stack prod`. */
function prod(verb: string, env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const yes = ["up", "down"].includes(verb) ? ["--yes"] : [];
  return project.rejourney([verb, "--stack", "prod", ...yes], { KUBECONFIG: kubeconfig, ...env });
}

/** The same, which has to work: its standard output. */
async function done(verb: string, env?: NodeJS.ProcessEnv): Promise<string> {
  const { status, stdout, stderr } = await prod(verb, env);
  expect(status, `${verb}:\n${stdout}${stderr.split("\n").slice(-12).join("\n")}`).toBe(0);
  return stdout;
}

const inNamespace = "--namespace=rejourney";

function get(kind: string, name: string): Promise<KubernetesObject> {
  return server.get<KubernetesObject>(kind, name, inNamespace);
}

/** Waits until the autoscalers have made their pods, and all of them are ready. */
async function settled(): Promise<void> {
  const api = server.api();
  for (; ; await sleep(300)) {
    const pods = await api.list<V1Pod>("/api/v1/namespaces/rejourney/pods");
    const ready = (service: string) =>
      pods.filter(
        ({ metadata, status }) =>
          metadata!.labels!["app.kubernetes.io/name"] === service &&
          status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
      ).length;
    if (Object.entries(PODS).every(([service, count]) => ready(service) >= count)) return;
  }
}

describe("without a cluster", () => {
  test("a preview works: with no kubeconfig, and with an API server that does not answer", async () => {
    const nothing = await prod("preview", { KUBECONFIG: project.path("missing") });
    expect(nothing, nothing.stderr).toMatchObject({ status: 0 });
    expect(nothing.stdout).toMatch(/^\d+ to create, 0 unchanged$/m);
    expect(nothing.stderr).toMatch(
      /Nothing was compared with the cluster\. The cluster .*: the kubeconfig is not readable: ENOENT.*missing/,
    );
    const away = project.path("away.kubeconfig");
    writeFileSync(away, readFileSync(kubeconfig, "utf8").replace(/127\.0\.0\.1:\d+/, "127.0.0.1:1"));
    const unreachable = await prod("preview", { KUBECONFIG: away });
    expect(unreachable, unreachable.stderr).toMatchObject({ status: 0 });
    expect(unreachable.stdout.split("\n").sort()).toEqual(nothing.stdout.split("\n").sort());
    expect(unreachable.stderr).toContain(
      "Nothing was compared with the cluster. The cluster of the stack prod cannot be reached: no answer from https://127.0.0.1:1 (",
    );
    const { status, stderr } = await prod("up", { KUBECONFIG: away });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(
        "The cluster of the stack prod cannot be reached: no answer from https://127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1); nothing was changed.\n  Fix: set KUBECONFIG to a kubeconfig",
      ) as string,
    });
  });

  test("a cluster without a place for the data, or with another's Traefik, is refused before any change", async () => {
    const theirs = {
      apiVersion: "helm.cattle.io/v1",
      kind: "HelmChartConfig",
      metadata: { name: "traefik", namespace: "kube-system" },
      spec: { valuesContent: "theirs" },
    };
    await server.kubectl(["create", "--filename=-"], JSON.stringify(theirs));
    const { status, stderr } = await prod("up");
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toContain("rejourney.co/storage-node=true is missing: no node has this label");
    expect(stderr).toContain("HelmChartConfig traefik in kube-system exists, does not belong to this stack");
    await server.kubectl(["delete", "helmchartconfig", "traefik", "--namespace=kube-system"]);
    expect(await server.kubectl(["get", "namespaces", "--output=name"])).not.toContain("rejourney");
    await server.kubectl(["create", "--filename=-"], JSON.stringify(STORAGE_NODE));
  });
});

describe("the first run", () => {
  test("brings everything there, and every pod is admitted", async () => {
    const stdout = await done("up");
    expect(stdout).toMatch(/^ +api +healthy \(\d of \d\)$/m);
    expect(stdout).toContain("Rejourney runs at https://rejourney.example.com");
    await settled();
    const namespace = await get("namespace", "rejourney");
    expect(namespace.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
    const jobs = await server.get<{ items: KubernetesObject[] }>("jobs", inNamespace);
    expect(jobs.items.map(({ status }) => status?.succeeded)).toEqual([1]);
    const privileged = { containers: [{ name: "a", image: "a", securityContext: { privileged: true } }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, spec: privileged };
    const made = server.kubectl(["create", "--filename=-", inNamespace], JSON.stringify(pod));
    await expect(made).rejects.toThrow('violates PodSecurity "restricted:latest"');
  });
});

describe("a deployment that is there", () => {
  test("is not changed by a second run, nor by a refresh, nor under another address and certificate", async () => {
    const refresh = await project.rejourney(
      ["pulumi", "refresh", "--yes", "--skip-preview", "--stack", "prod"],
      {
        KUBECONFIG: kubeconfig,
      },
    );
    expect(refresh.status, refresh.stderr).toBe(0);
    expect(refresh.stdout).not.toMatch(/updated|deleted|created/);
    const elsewhere = server.kubeconfig({ host: "localhost", verified: false });
    expect(await done("up", { KUBECONFIG: elsewhere })).toMatch(/^\d+ unchanged$/m);
    const settings = project.read("Pulumi.prod.yaml");
    writeFileSync(
      project.path("Pulumi.prod.yaml"),
      settings.replace("config:\n", "config:\n  rejourney:context: test\n"),
    );
    const changed = await done("preview");
    expect(changed).not.toMatch(/^[+±-] /m);
    expect(changed).toMatch(/^1 to update, \d+ unchanged$/m);
    writeFileSync(project.path("Pulumi.prod.yaml"), settings);
  });

  test("that a stand-in of an older version wrote goes over to the plugin, and keeps every object", async () => {
    const file = project.path(".rejourney", "state", ".pulumi", "stacks", "rejourney", "prod.json");
    const uids = async () => {
      const kinds = "deployments,statefulsets,services,secrets,ingresses,persistentvolumeclaims";
      return server.kubectl(["get", kinds, inNamespace, "--output=jsonpath={.items[*].metadata.uid}"]);
    };
    const before = await uids();
    // As it wrote them: no name of a field manager, and other inputs of the provider.
    const state = readFileSync(file, "utf8")
      .replaceAll(/"__(fieldManager|initialApiVersion)":"[^"]*",?/g, "")
      .replaceAll(
        /("clusterIdentifier":"rejourney-prod",)(.*?)"version":"4\.25\.0"/g,
        `$1"${STAND_IN}":true,$2"version":"4.34.2"`,
      );
    expect(state).toContain('"version":"4.34.2"');
    writeFileSync(file, state);
    const { status, stdout, stderr } = await prod("up");
    expect({ status, stdout, stderr }).toMatchObject({ status: 0 });
    expect(stderr).toContain(
      "This state was written with stand-ins; from now on Pulumi's own plugins manage it: kubernetes.",
    );
    expect(await uids()).toBe(before);
    expect(readFileSync(file, "utf8")).not.toContain("4.34.2");
  });

  test("what somebody has changed by hand is shown, and fixed, without a secret's value", async () => {
    const secret = await server.kubectl([
      "get",
      "secret",
      "smtp-secret",
      inNamespace,
      "--output=jsonpath={.data.SMTP_PASS}",
    ]);
    expect(Buffer.from(secret, "base64").toString()).toBe("a-mail-password");
    const policies = (await server.get<{ items: KubernetesObject[] }>("networkpolicies", inNamespace)).items;
    const api = await get("networkpolicy", "api-in");
    const patch = (what: string, value: object) =>
      server.kubectl([
        "patch",
        ...what.split(" "),
        inNamespace,
        "--type=merge",
        "--patch",
        JSON.stringify(value),
      ]);
    await server.kubectl([
      "set",
      "image",
      "deployment/alert-worker",
      "alert-worker=example.com/other:1",
      inNamespace,
    ]);
    await patch("secret smtp-secret", {
      data: { SMTP_PASS: Buffer.from("of-somebody-else").toString("base64") },
    });
    await patch("networkpolicy api-in", { spec: { ingress: [{}] } });
    await server.kubectl(["delete", "networkpolicy", "default-deny", inNamespace]);
    await server.kubectl(["delete", "secret", "app-secret", inNamespace]);
    await settled();

    const preview = await done("preview");
    expect(preview).toContain("+ rejourney-network-policies-network-policy-default-deny\n");
    expect(preview).toContain("~ rejourney-network-policies-network-policy-api-in\n");
    expect(preview).toContain("~ rejourney-secrets-secret-smtp-secret\n");
    expect(preview).toContain("+ rejourney-secrets-secret-app-secret\n");
    expect(preview).toMatch(/^~ rejourney-alert-worker-deployment\n(.*\n)*? +-.*example\.com\/other:1/m);
    expect(preview).toMatch(/^2 to create, 3 to update, \d+ unchanged$/m);

    await done("up");
    const names = (all: readonly KubernetesObject[]) => all.map(({ metadata }) => metadata.name).sort();
    const now = (await server.get<{ items: KubernetesObject[] }>("networkpolicies", inNamespace)).items;
    expect(names(now)).toEqual(names(policies));
    expect((await get("networkpolicy", "api-in")).spec).toEqual(api.spec);
    const fixed = await server.kubectl([
      "get",
      "secret",
      "smtp-secret",
      inNamespace,
      "--output=jsonpath={.data.SMTP_PASS}",
    ]);
    expect(fixed).toBe(secret);
    const jwt = ["get", "secret", "app-secret", inNamespace, "--output=jsonpath={.data.JWT_SECRET}"];
    const { JWT_SECRET: inUse } = await project.secrets();
    expect(Buffer.from(await server.kubectl(jwt), "base64").toString()).toBe(inUse);
    const image = await server.kubectl([
      "get",
      "deployment",
      "alert-worker",
      inNamespace,
      "--output=jsonpath={..image}",
    ]);
    expect(image).toMatch(/\/api:1\.4\.0$/);
    await settled();
    expect(await done("up")).toMatch(/^\d+ unchanged$/m);
  });
});

/** What an `up` of a copy without a state says to a cluster, which refuses it. */
async function refusedTo(other: ApiServer): Promise<string> {
  const copy = new TestProject();
  try {
    const ran = await copy.rejourney(["up", "--stack", "prod"], { KUBECONFIG: other.kubeconfig() });
    expect(ran).toMatchObject({ status: 1, stdout: "" });
    return ran.stderr;
  } finally {
    copy.remove();
  }
}

/** Keys that somebody's data depends on, which may be in a database elsewhere. */
async function needsKeys(other: ApiServer): Promise<void> {
  await other.kubectl(["create", "namespace", "rejourney"]);
  const literal = `--from-literal=STORAGE_ENCRYPTION_KEY=${OTHER}`;
  await other.kubectl(["create", "secret", "generic", "app-secret", literal, inNamespace]);
  expect(await refusedTo(other)).toContain(
    "The Secrets of the cluster open data, and this project has no state with its secrets. POSTGRES_PASSWORD, ",
  );
  const path = "--output=jsonpath={.data.STORAGE_ENCRYPTION_KEY}";
  const there = await other.kubectl(["get", "secret", "app-secret", inNamespace, path]);
  expect(Buffer.from(there, "base64").toString()).toBe(OTHER);
  await other.kubectl(["delete", "secret", "app-secret", inNamespace]);
}

async function needsNoOthers(other: ApiServer): Promise<void> {
  await other.kubectl(["create", "deployment", "minio", "--image=example.com/theirs", inNamespace]);
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "postgres-data-postgres-0", namespace: "rejourney" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  await other.kubectl(["create", "--filename=-"], JSON.stringify(claim));
  expect(await refusedTo(other)).toContain(
    "objects that this program did not create: Deployment minio, PersistentVolumeClaim postgres-data-postgres-0. Nothing was changed.",
  );
}

describe("what is at stake", () => {
  test("no file holds a secret's value, nor does anything that was printed", async () => {
    const secrets = await project.secrets();
    expect(secrets.SMTP_PASS).toBe("a-mail-password");
    expect(found(secrets, [...project.files(".rejourney"), ["output", project.printed]])).toEqual([]);
  });

  test("another cluster is refused, and so is a copy of this project that has lost the state", async () => {
    const other = await ApiServer.start({ controllers: false });
    try {
      await other.kubectl(["create", "--filename=-"], JSON.stringify(STORAGE_NODE));
      for (const verb of ["up", "preview", "status", "down"]) {
        const { status, stderr } = await prod(verb, { KUBECONFIG: other.kubeconfig() });
        expect({ verb, status, stderr }).toMatchObject({ status: 1 });
        expect(stderr).toContain("is not the cluster of the stack prod: it has no namespace rejourney");
      }
      await needsKeys(other);
      await needsNoOthers(other);
      await other.kubectl(["apply", `--filename=${RENDERED}`]);
      const { resources } = await project.state();
      const deployed = resources.filter(({ type }) => /^kubernetes:(?!core\/v1:Secret$)/.test(type));
      const byEngine = await renderedObjects(server);
      expect(byEngine).toHaveLength(deployed.length);
      expect(byEngine).toEqual(await renderedObjects(other));
    } finally {
      await other.remove();
    }
    const copy = new TestProject();
    try {
      const lost = copy.path("in-cluster.env");
      const exported = [
        "secrets",
        "export",
        "--from-cluster",
        "--yes",
        "--stack",
        "prod",
        "--env-file",
        lost,
      ];
      expect(await copy.rejourney(exported, { KUBECONFIG: kubeconfig })).toMatchObject({ status: 0 });
      const served = Object.entries(await project.secrets()).filter(([, value]) => value !== "");
      expect(parse(copy.read("in-cluster.env"))).toEqual(Object.fromEntries(served));
      const { status, stderr } = await copy.rejourney(["up", "--stack", "prod"], { KUBECONFIG: kubeconfig });
      expect({ status, stderr }).toMatchObject({ status: 1 });
      expect(stderr).toContain("its secrets. POSTGRES_PASSWORD, ");
      const { POSTGRES_PASSWORD: password, ...others } = await project.secrets();
      const lines = Object.entries({ ...others, POSTGRES_PASSWORD: "of-another-database" }).filter(
        ([, value]) => value !== "",
      );
      writeFileSync(copy.path(".env"), lines.map(([key, value]) => `${key}=${value}\n`).join(""), {
        mode: 0o600,
      });
      const wrong = await copy.rejourney(["up", "--stack", "prod"], { KUBECONFIG: kubeconfig });
      expect(wrong.status).toBe(1);
      expect(wrong.stderr).toContain(
        "POSTGRES_PASSWORD of .env is not the one that the cluster uses. Nothing was changed.",
      );
      expect(wrong.stderr).not.toContain(password);
    } finally {
      copy.remove();
    }
  });

  test("a state that is older than the cluster, and somebody else's object of the same name, are refused", async () => {
    const key = async (value: string) => {
      const data = { STORAGE_ENCRYPTION_KEY: Buffer.from(value).toString("base64") };
      const patch = ["patch", "secret", "app-secret", inNamespace, "--type=merge", "--patch"];
      await server.kubectl([...patch, JSON.stringify({ data })]);
    };
    const { STORAGE_ENCRYPTION_KEY: inUse } = await project.secrets();
    await key(OTHER);
    const { status, stderr } = await prod("up");
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toMatch(
      /^STORAGE_ENCRYPTION_KEY in the cluster is not the value in the state of the stack prod, and data depends on it: .* Nothing was changed\.\n {2}Fix, if another copy .*\n {2}Fix, if somebody changed the Secret: kubectl delete secret app-secret --namespace rejourney, then retry\n/m,
    );
    expect(stderr).not.toContain(OTHER);
    const now = await server.kubectl([
      "get",
      "secret",
      "app-secret",
      inNamespace,
      "--output=jsonpath={.data.STORAGE_ENCRYPTION_KEY}",
    ]);
    expect(Buffer.from(now, "base64").toString()).toBe(OTHER);
    await key(inUse!);
    await server.kubectl(["delete", "deployment", "alert-worker", inNamespace]);
    const theirs = ["create", "deployment", "alert-worker", "--image=example.com/theirs", inNamespace];
    await server.kubectl(theirs);
    expect((await prod("up")).stderr).toContain(
      "objects that this program did not create: Deployment alert-worker. Nothing was changed.",
    );
    await server.kubectl(["delete", "deployment", "alert-worker", inNamespace]);
  });

  test("a run that is killed goes on from where it stopped", async () => {
    node.failing.add("migrate");
    writeFileSync(
      project.path("Pulumi.prod.yaml"),
      project.read("Pulumi.prod.yaml").replace("1.4.0", "1.5.0"),
    );
    const before = await get("deployment", "api");
    const child = project.start(["up", "--stack", "prod"], { KUBECONFIG: kubeconfig });
    const ran = ended(child);
    for (let jobs: KubernetesObject[] = []; jobs.length < 2; await sleep(100))
      jobs = (await server.get<{ items: KubernetesObject[] }>("jobs", inNamespace)).items;
    process.kill(-child.pid!, "SIGKILL");
    await ran;
    expect((await get("deployment", "api")).spec).toEqual(before.spec);
    node.failing.clear();
    expect(await done("up")).toMatch(/^ +api +healthy/m);
    const image = await server.kubectl([
      "get",
      "deployment",
      "api",
      inNamespace,
      "--output=jsonpath={..image}",
    ]);
    expect(image).toMatch(/\/api:1\.5\.0$/);
    const jobs = await server.get<{ items: KubernetesObject[] }>("jobs", inNamespace);
    expect(jobs.items.map(({ status }) => status?.succeeded)).toEqual([1]);
  });

  test("down removes all but the data, and up brings it back on the same claims", async () => {
    const uid = async (name: string) => (await get("persistentvolumeclaim", name)).metadata.uid;
    const before = [await uid("postgres-data"), await uid("redis-data")];
    const secrets = await project.secrets();
    const deletion = ["down", "--stack", "prod", "--delete-data", "--confirm", "prod"];
    const { status, stderr } = await project.rejourney(deletion, { KUBECONFIG: kubeconfig });
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toContain("This command does not delete the data of a cluster; nothing was changed.");
    await done("down");
    const kinds =
      "deployments,statefulsets,jobs,services,secrets,ingresses,networkpolicies,horizontalpodautoscalers";
    expect(await server.kubectl(["get", kinds, inNamespace, "--output=name"])).toBe("");
    expect((await prod("status")).stderr).toBe(
      "The stack prod is down; its data and secrets are kept. Next: npm run up -- --stack prod\n",
    );
    expect([await uid("postgres-data"), await uid("redis-data")]).toEqual(before);
    await server.kubectl(["delete", "persistentvolumeclaim", "redis-data", inNamespace]);
    const refused = await prod("up");
    expect(refused).toMatchObject({ status: 1 });
    expect(refused.stderr).toContain(
      "The claim redis-data of the stack prod is gone, so the stack no longer finds its data.",
    );
    const refresh = ["pulumi", "refresh", "--yes", "--stack", "prod"];
    expect(await project.rejourney(refresh, { KUBECONFIG: kubeconfig })).toMatchObject({ status: 0 });
    expect(await done("up")).toMatch(/^ +postgres +healthy/m);
    expect(await uid("postgres-data")).toBe(before[0]);
    expect(await project.secrets()).toEqual(secrets);
  });
});
