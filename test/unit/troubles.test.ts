import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { afterEach, describe, expect, test, vi } from "vitest";
import { toldTroubles } from "../../cli/cluster/trouble-report.ts";
import { PodWatch } from "../../cli/cluster/pod-watch.ts";
import { troubles } from "../../cli/cluster/troubles.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { ApiError } from "../../infra/cluster/errors.ts";

interface Cluster {
  pods?: object[];
  events?: object[];
  deployments?: object[];
  statefulsets?: object[];
  jobs?: object[];
  secrets?: object[];
}

/** An API server that knows these objects and this log. */
function clusterOf(objects: Cluster, log = ""): ClusterApi & { asked: string[] } {
  const asked: string[] = [];
  const list = (path: string) => {
    const kind = /\/namespaces\/rejourney\/(\w+)/.exec(path)![1] as keyof Cluster;
    // Other pods are none of the stack's.
    if (kind === "pods") expect(path).toMatch(/\?labelSelector=app.kubernetes.io%2Fpart-of%3Drejourney$/);
    return Promise.resolve(objects[kind] ?? []);
  };
  const text = (path: string) => {
    asked.push(path);
    return Promise.resolve(log);
  };
  return { list, text, asked } as unknown as ClusterApi & { asked: string[] };
}

function pod(service: string, status: object, { kind = "ReplicaSet", owner = "owner" } = {}) {
  const labels = { "app.kubernetes.io/name": service };
  const ownerReferences = [{ kind, uid: owner }];
  return { metadata: { name: `${service}-1`, uid: `pod-${service}`, labels, ownerReferences }, status };
}

const waiting = (reason: string, message?: string) => ({
  containerStatuses: [
    { name: "main", ready: false, restartCount: 0, state: { waiting: { reason, message } } },
  ],
});
const crashed = (terminated: object, restartCount = 1) => ({
  phase: "Running",
  containerStatuses: [
    {
      ...{ name: "main", ready: false, restartCount },
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated },
    },
  ],
});
const isReady = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };

const event = (uid: string, reason: string, message: string) => ({
  involvedObject: { uid },
  reason,
  message,
});
const SETTINGS = "in Pulumi.prod.yaml";

describe("a trouble", () => {
  test.each([
    [
      "an image that cannot be had, by its last error",
      {
        pods: [pod("api", waiting("ImagePullBackOff", "Back-off"))],
        events: [
          event("pod-api", "Failed", "Failed to pull image: no such host"),
          event("pod-api", "Failed", "Error: ErrImagePull"),
        ],
      },
      { why: "its image is not available: Failed to pull image: no such host", patience: 30 },
    ],
    [
      "a Secret that is missing",
      { pods: [pod("api", waiting("CreateContainerConfigError", 'secret "app-secret" not found'))] },
      { why: 'its container cannot be created: secret "app-secret" not found', patience: 30 },
    ],
    [
      "a volume that cannot be mounted",
      {
        pods: [pod("postgres", waiting("ContainerCreating"))],
        events: [event("pod-postgres", "FailedMount", "path does not exist")],
      },
      { why: "its volume cannot be mounted: path does not exist", patience: 120 },
    ],
    [
      "a process that ends",
      { pods: [pod("api", crashed({ exitCode: 3 }))] },
      {
        why: "it exits with code 3",
        patience: 30,
        log: { pod: "api-1", container: "main", previous: false },
      },
    ],
    [
      "a process that needs more memory",
      { pods: [pod("api", crashed({ exitCode: 137, reason: "OOMKilled" }))] },
      {
        why: "it uses more memory than its limit",
        fix: `raise its memory in rejourney:services or rejourney:data ${SETTINGS}`,
      },
    ],
    [
      "a startup probe that has failed for all its time",
      {
        pods: [pod("web", crashed({ exitCode: 0 }))],
        events: [
          event("pod-web", "Unhealthy", "Startup probe failed: refused"),
          event("pod-web", "Killing", "Container main failed startup probe, will be restarted"),
        ],
      },
      { why: "it did not become healthy within startSeconds: Startup probe failed: refused", patience: 10 },
    ],
    [
      "a process that ends after it took its time to start",
      {
        pods: [pod("web", crashed({ exitCode: 1 }))],
        events: [event("pod-web", "Unhealthy", "Startup probe failed: refused")],
      },
      { why: "it exits with code 1", patience: 30 },
    ],
    [
      "one that has not yet",
      {
        pods: [
          pod("web", {
            containerStatuses: [{ name: "main", ready: false, restartCount: 0, state: { running: {} } }],
          }),
        ],
        events: [event("pod-web", "Unhealthy", "Startup probe failed: refused")],
      },
      { why: "it is unhealthy: Startup probe failed: refused", patience: Infinity },
    ],
    [
      "no node with room",
      {
        pods: [
          pod("api", {
            conditions: [{ type: "PodScheduled", status: "False", message: "0/2 nodes: Insufficient cpu" }],
          }),
        ],
      },
      { why: "no node can run its pod: 0/2 nodes: Insufficient cpu", patience: 120 },
    ],
    [
      "a quota, of a Deployment",
      {
        deployments: [
          {
            metadata: { name: "api" },
            status: {
              conditions: [
                {
                  type: "ReplicaFailure",
                  status: "True",
                  message: 'pods "api-x" is forbidden: exceeded quota: quota',
                },
              ],
            },
          },
        ],
      },
      { why: "the cluster rejects another pod: exceeded quota: quota", patience: 30 },
    ],
    [
      "a quota, of a Job",
      {
        jobs: [
          {
            metadata: { name: "migrate-1", uid: "job" },
            spec: { template: { metadata: { labels: { "app.kubernetes.io/name": "migrate" } } } },
            status: {},
          },
        ],
        events: [
          event("job", "FailedCreate", 'Error creating: pods "migrate" is forbidden: exceeded quota: quota'),
        ],
      },
      { service: "migrate", why: "the cluster rejects another pod: exceeded quota: quota", patience: 30 },
    ],
    [
      "a migration that fails, which its Job tries again",
      {
        pods: [
          pod(
            "migrate",
            {
              phase: "Failed",
              initContainerStatuses: [
                { name: "lock", ready: false, restartCount: 0, state: { terminated: { exitCode: 137 } } },
              ],
              containerStatuses: [
                { name: "migrate", ready: false, restartCount: 0, state: { terminated: { exitCode: 1 } } },
              ],
            },
            { kind: "Job" },
          ),
        ],
      },
      {
        why: "it exits with code 1",
        patience: Infinity,
        log: { pod: "migrate-1", container: "migrate", previous: false },
      },
    ],
  ] satisfies [string, Cluster, object][])("is %s", async (_, objects, expected) => {
    const found = await troubles(clusterOf(objects), "prod");
    expect(found).toEqual([expect.objectContaining({ ready: 0, ...expected })]);
  });

  test.each([
    ["a pod that is ready", { pods: [pod("api", isReady)] }],
    ["a pod that is about to end", { pods: [{ ...pod("api", {}), metadata: { deletionTimestamp: "now" } }] }],
    ["a pod that starts", { pods: [pod("api", waiting("ContainerCreating"))] }],
    ["a pod that was evicted", { pods: [pod("api", { ...crashed({ exitCode: 1 }), phase: "Failed" })] }],
    [
      "a failed attempt of a migration that has succeeded",
      {
        pods: [
          pod("migrate", { ...crashed({ exitCode: 1 }), phase: "Failed" }, { kind: "Job", owner: "job" }),
        ],
        jobs: [{ metadata: { name: "migrate-1", uid: "job" }, status: { succeeded: 1, failed: 1 } }],
      },
    ],
    [
      "a quota that was in the way of pods which are there now",
      {
        statefulsets: [{ metadata: { name: "postgres", uid: "set" }, status: { replicas: 1 } }],
        events: [event("set", "FailedCreate", "exceeded quota")],
      },
    ],
  ] satisfies [string, Cluster][])("is not %s", async (_, objects) => {
    expect(await troubles(clusterOf(objects), "prod")).toEqual([]);
  });
});

describe("a trouble as text", () => {
  const ill = { pods: [pod("api", crashed({ exitCode: 3 })), pod("api", isReady)] };
  const data = {
    JWT_SECRET: Buffer.from("of+the/app").toString("base64"),
    DATABASE_URL: Buffer.from("postgres://rejourney:pass@postgres/rejourney").toString("base64"),
    PUBLIC_API_URL: Buffer.from("https://api.example.com").toString("base64"),
  };

  test("has the last lines, without a secret's value, what else runs, and what fixes it", async () => {
    const log =
      "to postgres://rejourney:pass@postgres/rejourney\nof%2Bthe%2Fapp at https://api.example.com\n";
    const api = clusterOf({ ...ill, secrets: [{ data }] }, log);
    expect(await toldTroubles(api, "prod")).toBe(
      [
        "  api: it exits with code 3 (1 other pod runs).",
        "    Last lines of its log:",
        "      to [redacted]",
        "      [redacted] at https://api.example.com",
        `    Fix: fix the error in its log, or set rejourney:release or rejourney:images ${SETTINGS} back to the version before`,
      ].join("\n"),
    );
    expect(api.asked).toEqual([
      "/api/v1/namespaces/rejourney/pods/api-1/log?container=main&tailLines=20&previous=false",
    ]);
  });

  test("holds no secret in JSON, in what logs in to a registry, or in what an event quotes, and is one line", async () => {
    const password = 'quote" and back\\slash';
    const auth = Buffer.from("puller:a-token").toString("base64");
    const secrets = [
      { data: { POSTGRES_PASSWORD: Buffer.from(password).toString("base64") } },
      {
        data: {
          ".dockerconfigjson": Buffer.from(JSON.stringify({ auths: { r: { auth } } })).toString("base64"),
        },
      },
    ];
    const log = `${JSON.stringify({ msg: `login ${password}` })}\n`;
    const told = await toldTroubles(clusterOf({ pods: ill.pods, secrets }, log), "prod");
    expect(told).toContain('      {"msg":"login [redacted]"}');
    const denied = `denied for ${auth}, a-token\n  Fix: curl evil`;
    const pulled = clusterOf({
      pods: [pod("api", waiting("ErrImagePull"))],
      events: [event("pod-api", "Failed", `Failed to pull image: ${denied}`)],
      secrets,
    });
    expect(await toldTroubles(pulled, "prod")).toContain(
      "  api: its image is not available: Failed to pull image: denied for [redacted], [redacted] Fix: curl evil.\n",
    );
  });

  test("has no line where the secrets that may be in it cannot be read", async () => {
    const api = clusterOf(ill, "a secret");
    const list = api.list.bind(api);
    api.list = <T>(path: string) =>
      path.endsWith("/secrets") ? Promise.reject(new ApiError(403, "forbidden")) : list<T>(path);
    const told = await toldTroubles(api, "prod");
    expect(told).toContain(
      "(not shown: the cluster does not allow to read the secrets that they may contain)",
    );
    expect(told).not.toContain("a secret");
  });
});

describe("the watch", () => {
  afterEach(() => vi.useRealTimers());

  const broken = { pods: [pod("api", waiting("ErrImagePull"))] };
  const type = "kubernetes:apps/v1:Deployment";
  const urn = "urn:pulumi:prod::rejourney::kubernetes:apps/v1:Deployment::rejourney-api-deployment";
  const inputs = { metadata: { labels: { "app.kubernetes.io/name": "api" } } };
  const metadata = { urn, type, op: "update", new: { inputs } };
  const begins = { resourcePreEvent: { metadata } } as unknown as EngineEvent;
  const ends = { resOutputsEvent: { metadata } } as unknown as EngineEvent;

  async function aborted(api: ClusterApi, events: readonly EngineEvent[]): Promise<boolean> {
    vi.useFakeTimers();
    const watch = new PodWatch(api, "prod");
    for (const event of events) watch.onEvent(event);
    await vi.advanceTimersByTimeAsync(40_000);
    await watch.stop();
    return watch.signal.aborted;
  }

  test("gives up on a service that is waited for, and on no other", async () => {
    expect(await aborted(clusterOf(broken), [begins])).toBe(true);
    expect(await aborted(clusterOf(broken), [])).toBe(false);
    expect(await aborted(clusterOf(broken), [begins, ends])).toBe(false);
  });

  test("knows the pods of a migration by the name that they bear", async () => {
    const template = { metadata: { labels: { "app.kubernetes.io/name": "migrate" } } };
    const job = { metadata: { name: "migrate-0a1b2c3d4e" }, spec: { template } };
    const created = { urn, type: "kubernetes:batch/v1:Job", op: "create", new: { inputs: job } };
    const pods = [pod("migrate", waiting("ErrImagePull"), { kind: "Job" })];
    const events = [{ resourcePreEvent: { metadata: created } } as unknown as EngineEvent];
    expect(await aborted(clusterOf({ pods }), events)).toBe(true);
  });

  test("waits as long as the patience, and anew after the service has been well or the API server away", async () => {
    vi.useFakeTimers();
    const objects: Cluster = { ...broken };
    const api = clusterOf(objects);
    const list = api.list.bind(api);
    const watch = new PodWatch(api, "prod");
    watch.onEvent(begins);
    await vi.advanceTimersByTimeAsync(25_000);
    objects.pods = [pod("api", isReady)];
    await vi.advanceTimersByTimeAsync(3000);
    objects.pods = broken.pods;
    await vi.advanceTimersByTimeAsync(25_000);
    api.list = () => Promise.reject(new ApiError(500, "away"));
    await vi.advanceTimersByTimeAsync(60_000);
    api.list = list;
    await vi.advanceTimersByTimeAsync(30_000);
    expect(watch.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(3000);
    expect(watch.signal.aborted).toBe(true);
    await watch.stop();
  });
});
