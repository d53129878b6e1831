import { describe, expect, test } from "vitest";
import type { KubernetesObject } from "../../infra/cluster/api.ts";
import { drifted, otherCluster, replacing } from "../../tools/standins/kubernetes/diff.ts";
import { isOwnAddress } from "../../tools/standins/kubernetes/own-address.ts";
import { unready } from "../../tools/standins/kubernetes/ready.ts";
import {
  compact,
  guarded,
  hasUnknown,
  kept,
  UNKNOWN,
  type Values,
} from "../../tools/standins/kubernetes/values.ts";

const MUTABLE = { secrets: true, configMaps: true };
const job = (image: string, parallelism = 1): Values => ({
  kind: "Job",
  metadata: { name: "j" },
  spec: { parallelism, template: { image } },
});

describe("an object is made anew", () => {
  test.each<[string, Values, Values, string[]]>([
    ["for another template of a Job", job("a"), job("b"), ["spec.template"]],
    ["for no other field of a Job", job("a"), job("a", 2), []],
    ["for another name", { metadata: { name: "a" } }, { metadata: { name: "b" } }, ["metadata.name"]],
    [
      "for a name that is not known yet",
      { metadata: { name: "a" } },
      { metadata: { name: UNKNOWN } },
      ["metadata.name"],
    ],
    ["for no value that is not known yet", job("a"), { ...job("a"), spec: UNKNOWN }, []],
    [
      "for another selector of a Deployment",
      { kind: "Deployment", spec: { selector: { a: "b" } } },
      { kind: "Deployment", spec: { selector: { a: "c" } } },
      ["spec.selector"],
    ],
    ["for another type of a Secret", { kind: "Secret", type: "a" }, { kind: "Secret", type: "b" }, ["type"]],
    [
      "for no other value of a Secret",
      { kind: "Secret", data: { a: "1" } },
      { kind: "Secret", data: {} },
      [],
    ],
  ])("%s", (_, old, now, expected) => {
    expect(replacing(old, now, MUTABLE)).toEqual(expected);
  });

  test("for another value of a Secret or a ConfigMap where the provider does not say otherwise", () => {
    const immutable = { secrets: false, configMaps: false };
    for (const kind of ["Secret", "ConfigMap"])
      expect(replacing({ kind, data: { a: "1" } }, { kind, data: { a: "2" } }, immutable)).toEqual(["data"]);
  });
});

describe("every object is made anew", () => {
  test.each<[Values, Values, string[]]>([
    [{ kubeconfig: "a" }, { kubeconfig: "b" }, ["kubeconfig"]],
    [{ context: "a" }, {}, ["context"]],
    [{ kubeconfig: "a", clusterIdentifier: "x" }, { kubeconfig: "b", clusterIdentifier: "x" }, []],
    [{ clusterIdentifier: "x" }, { clusterIdentifier: "y" }, ["clusterIdentifier"]],
    [{ kubeconfig: "a" }, { kubeconfig: "b", clusterIdentifier: "x" }, ["kubeconfig"]],
  ])("from %j to %j: for %j", (old, now, expected) => {
    expect(otherCluster(old, now)).toEqual(expected);
  });
});

describe("what was changed by hand", () => {
  const inputs: Values = {
    spec: {
      replicas: 2,
      containers: [
        { name: "a", cpu: 0.5, env: ["X"] },
        { name: "b", cpu: "1" },
      ],
    },
  };
  const applied = (change: (spec: { containers: Values[] } & Values) => void = () => {}): Values => {
    const spec = {
      replicas: 2,
      containers: [
        { name: "a", cpu: "500m", env: ["X"], added: "by the server" },
        { name: "b", cpu: "1", added: "by the server" },
      ] as Values[],
    };
    change(spec);
    return { spec, status: { ready: 2 } };
  };
  const wanted = (change: (spec: { containers: Values[] } & Values) => void): Values => {
    const copy = structuredClone(inputs);
    change(copy.spec as never);
    return copy;
  };

  test("is nothing where the server writes a value in another form, or adds what it likes", () => {
    const live = applied((spec) => (spec.generation = 7));
    expect(drifted(inputs, applied(), live)).toEqual(inputs);
  });

  test.each<
    [
      string,
      (spec: { containers: Values[] } & Values) => void,
      (spec: { containers: Values[] } & Values) => void,
    ]
  >([
    ["a value", (spec) => (spec.replicas = 5), (spec) => (spec.replicas = 5)],
    [
      "a value in a list",
      (spec) => (spec.containers[0]!.cpu = "900m"),
      (spec) => (spec.containers[0]!.cpu = "900m"),
    ],
    ["an item that is gone", (spec) => spec.containers.shift(), (spec) => spec.containers.shift()],
    [
      "a list in an item",
      (spec) => (spec.containers[0]!.env = ["X", "Y"]),
      (spec) => (spec.containers[0]!.env = ["X", "Y"]),
    ],
    ["a value that is gone", (spec) => delete spec.replicas, (spec) => delete spec.replicas],
    [
      "not an item that somebody has added by its name",
      (spec) => spec.containers.push({ name: "c" }),
      () => {},
    ],
  ])("shows %s", (_, change, expected) => {
    const live = applied(change);
    expect(drifted(inputs, applied(), live)).toEqual(wanted(expected));
  });
});

describe("values", () => {
  test("of a Secret are marked, whatever the program has marked", () => {
    const secret = { kind: "Secret", data: { a: "1" } };
    expect(JSON.stringify(guarded(secret).data)).toMatch(
      /^\{"4dabf18193072939515e22adb298388d":"1b47061264138c4ac30d75fd1eb44270",/,
    );
    expect(guarded({ kind: "ConfigMap", data: { a: "1" } })).toEqual({ kind: "ConfigMap", data: { a: "1" } });
  });

  test("of a Secret are not kept a second time, where kubectl repeats them", () => {
    const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "c2VjcmV0", mine: "stays" };
    const live = {
      kind: "Secret",
      metadata: { name: "s", generation: 3, managedFields: [], annotations },
      status: {},
    };
    expect(kept(live)).toEqual({
      kind: "Secret",
      metadata: { name: "s", annotations: { mine: "stays" } },
      status: {},
    });
  });

  test("that are null are left out, at any depth; one that is not known is found", () => {
    expect(compact({ a: null, b: [{ c: null, d: 0 }] })).toEqual({ b: [{ d: 0 }] });
    expect(hasUnknown({ a: [{ b: UNKNOWN }] })).toBe(true);
    expect(hasUnknown({ a: [{ b: "known" }] })).toBe(false);
  });
});

describe("ready", () => {
  const object = (kind: string, spec: object, status: object, annotations = {}): KubernetesObject =>
    ({
      apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
      kind,
      metadata: { name: "o", generation: 2, annotations },
      spec,
      status: { observedGeneration: 2, ...status },
    }) as unknown as KubernetesObject;
  const full = { replicas: 2, updatedReplicas: 2, availableReplicas: 2 };
  const SINCE = Date.parse("2030-01-01T00:00:00Z");
  const stuck = (seconds: number) => ({
    ...{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "too late" },
    lastUpdateTime: new Date(SINCE + seconds * 1000).toISOString(),
  });
  const refused = {
    type: "ReplicaFailure",
    status: "True",
    reason: "FailedCreate",
    message: "exceeded quota",
  };

  test.each<[string, KubernetesObject, ReturnType<typeof unready>]>([
    ["all pods", object("Deployment", { replicas: 2 }, full), undefined],
    ["no pods", object("Deployment", { replicas: 0 }, {}), undefined],
    [
      "a change that its controller has not seen",
      object("Deployment", { replicas: 2 }, { ...full, observedGeneration: 1 }),
      { why: "its controller has not seen it yet" },
    ],
    ["a pod too few", object("Deployment", { replicas: 3 }, full), { why: "2 of 3 pods made" }],
    [
      "an old pod",
      object("Deployment", { replicas: 2 }, { ...full, replicas: 3 }),
      { why: "1 old pods are left" },
    ],
    [
      "pods that are refused",
      object("Deployment", { replicas: 2 }, { conditions: [refused] }),
      { why: "0 of 2 pods made (FailedCreate: exceeded quota)" },
    ],
    [
      "no progress since",
      object("Deployment", { replicas: 2 }, { ...full, conditions: [stuck(10)] }),
      { why: "ProgressDeadlineExceeded: too late", final: true },
    ],
    [
      "no progress before, and some of its time left",
      object("Deployment", { progressDeadlineSeconds: 60 }, { ...full, conditions: [stuck(-10)] }),
      { why: "ProgressDeadlineExceeded: too late" },
    ],
    [
      "no progress before, nor in its time since",
      object("Deployment", { progressDeadlineSeconds: 20 }, { ...full, conditions: [stuck(-10)] }),
      { why: "ProgressDeadlineExceeded: too late", final: true },
    ],
    [
      "a pod of a StatefulSet that is not available",
      object("StatefulSet", {}, { updatedReplicas: 1, currentRevision: "a", updateRevision: "a" }),
      { why: "0 of 1 pods available" },
    ],
    [
      "an old pod of a StatefulSet",
      object(
        "StatefulSet",
        {},
        { updatedReplicas: 1, availableReplicas: 1, currentRevision: "a", updateRevision: "b" },
      ),
      { why: "old pods are left" },
    ],
    ["a Job that runs", object("Job", {}, { failed: 1 }), { why: "0 pods have succeeded, 1 failed" }],
    [
      "a Job that has succeeded",
      object("Job", {}, { conditions: [{ type: "Complete", status: "True" }] }),
      undefined,
    ],
    [
      "a Job that has failed",
      object(
        "Job",
        {},
        { conditions: [{ type: "Failed", status: "True", reason: "BackoffLimitExceeded", message: "m" }] },
      ),
      { why: "BackoffLimitExceeded: m", final: true },
    ],
    ["what nobody waits for", object("Deployment", {}, {}, { "pulumi.com/skipAwait": "true" }), undefined],
    ["a kind that is not waited for", object("ConfigMap", {}, {}), undefined],
  ])("with %s", (_, given, expected) => {
    expect(unready(given, { since: SINCE, now: SINCE + 30_000 })).toEqual(expected);
  });
});

describe("a stand-in deploys to", () => {
  const interfaces = { eth0: [{ cidr: "10.1.2.3/24" }, { cidr: "203.0.113.5/24" }] } as never;

  test.each(["localhost", "127.0.0.1", "[::1]", "10.1.2.3", "10.1.2.200"])("%s", (host) => {
    expect(isOwnAddress(host, interfaces)).toBe(true);
  });

  test.each(["10.1.3.1", "203.0.113.5", "192.168.1.1", "api.example.com", "8.8.8.8"])("not to %s", (host) => {
    expect(isOwnAddress(host, interfaces)).toBe(false);
  });
});
