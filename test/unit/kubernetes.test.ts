import { describe, expect, test } from "vitest";
import { SERVICES } from "../../infra/app/catalogue.ts";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import { DERIVED, VARIABLES } from "../../infra/app/variables.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import { namespaced } from "../../infra/manifest.ts";
import { SECRET_GROUPS } from "../../infra/kubernetes/secret-groups.ts";
import { containersOf, manifests, namesOf, ofKind, pods, WORKLOADS } from "./manifests.ts";
import { kubernetesSettings } from "./values.ts";

test("a kind that nobody registers is refused when it is compiled", () => {
  // @ts-expect-error: cluster/register.ts does not know it
  expect(namespaced("v1", "ConfigMap", "settings", {}).kind).toBe("ConfigMap");
});

describe("the order", () => {
  test("is what others need first: data, migration, API, the other services", () => {
    const names = (config: Record<string, unknown>) =>
      stages(kubernetesSettings(config)).map((stage) => stage.map(({ name }) => name));
    const application = [
      ["migrate"],
      ["api"],
      ["web", "ingest-worker", "billing-worker", "alert-worker", "retention-worker"],
    ];
    const platform = [["namespace"], ["network-policies", "traefik"]];
    expect(names({})).toEqual([...platform, ["postgres", "redis"], ...application, ["ingress"]]);
    const external = { postgres: { host: "db.example.com" }, redis: { host: "10.0.0.7" } };
    expect(names({ external })).toEqual([...platform, ...application, ["ingress"]]);
  });

  test("within a part: what a pod needs, the pod, what points at it", () => {
    const kinds = (name: string) =>
      stages(kubernetesSettings())
        .flat()
        .find((part) => part.name === name)!
        .manifests.map(({ kind }) => kind);
    expect(kinds("api")).toEqual([
      "ServiceAccount",
      "Deployment",
      "Service",
      "PodDisruptionBudget",
      "HorizontalPodAutoscaler",
    ]);
    // The name of its pod is there first: who asks for it too early is told for a while that it is not.
    expect(kinds("postgres")).toEqual(["ServiceAccount", "Service", "StatefulSet", "PodDisruptionBudget"]);
    expect(kinds("namespace")[0]).toBe("Namespace");
  });
});

describe("every pod", () => {
  test("is confined, by an account of its own that nothing is granted to", () => {
    const all = manifests();
    expect(namesOf(all, "ServiceAccount").sort()).toEqual([...WORKLOADS].sort());
    for (const { automountServiceAccountToken } of ofKind(all, "ServiceAccount"))
      expect(automountServiceAccountToken).toBe(false);
    const of = pods(all);
    expect(Object.keys(of).sort()).toEqual([...WORKLOADS].sort());
    for (const [name, pod] of Object.entries(of)) {
      const user = ["postgres", "redis"].includes(name) ? 999 : 1000;
      expect(pod, name).toMatchObject({
        serviceAccountName: name,
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: user,
          runAsGroup: user,
          seccompProfile: { type: "RuntimeDefault" },
        },
      });
      for (const container of containersOf(pod)) {
        expect(container.securityContext, name).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        for (const part of ["requests", "limits"] as const)
          expect(Object.keys(container.resources[part]), name).toEqual([
            "cpu",
            "memory",
            "ephemeral-storage",
          ]);
      }
    }
  });

  test("comes from an exact image, by way of a private registry where one is named", () => {
    const images = (config: Record<string, unknown>) =>
      Object.fromEntries(
        Object.entries(pods(manifests(config))).map(([name, pod]) => [
          name,
          containersOf(pod).map((c) => c.image),
        ]),
      );
    const app = "ghcr.io/rejourneyco/rejourney";
    expect(images({})).toEqual({
      postgres: ["postgres:18.6"],
      redis: ["redis:8.4.4"],
      migrate: ["postgres:18.6", `${app}/migration:1.4.0`],
      web: [`${app}/web:1.4.0`],
      ...Object.fromEntries(
        ["api", "ingest-worker", "billing-worker", "alert-worker", "retention-worker"].map((name) => [
          name,
          [`${app}/api:1.4.0`],
        ]),
      ),
    });
    const mirror = "mirror.example.com/postgres:18.6";
    expect(images({ images: { postgres: mirror } })).toMatchObject({
      postgres: [mirror],
      migrate: [mirror, {}],
    });
    for (const pod of Object.values(pods(manifests()))) expect(pod.imagePullSecrets).toBeUndefined();
    for (const pod of Object.values(pods(manifests({ registry: { user: "reader" } }))))
      expect(pod.imagePullSecrets).toEqual([{ name: "ghcr-secret" }]);
  });

  test("has a priority: data first, then what answers requests", () => {
    const priorities = Object.entries(pods(manifests())).map(([name, pod]) => [name, pod.priorityClassName]);
    expect(Object.fromEntries(priorities)).toEqual({
      postgres: "rejourney-data",
      redis: "rejourney-data",
      migrate: "rejourney-serving",
      api: "rejourney-serving",
      web: "rejourney-serving",
      "ingest-worker": "rejourney-worker",
      "billing-worker": "rejourney-worker",
      "alert-worker": "rejourney-worker",
      "retention-worker": "rejourney-worker",
    });
    const values = Object.fromEntries(
      ofKind(manifests(), "PriorityClass").map(({ metadata, value }) => [metadata.name, value]),
    );
    expect(values).toEqual({
      "rejourney-data": 1_000_000,
      "rejourney-serving": 100_000,
      "rejourney-worker": 10_000,
    });
  });
});

describe("what a pod reads", () => {
  const secretsOf = (name: string) =>
    pods(manifests())[name]!.containers[0].env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? []);

  test("is what the catalogue names, each key on its own", () => {
    for (const { name, variables, derived, secrets, optional = [] } of SERVICES)
      expect(secretsOf(name).map(({ key }) => key)).toEqual([
        ...variables,
        ...derived,
        ...secrets,
        ...optional,
      ]);
    expect(secretsOf("web")).toEqual([
      ...["PUBLIC_DASHBOARD_URL", "PUBLIC_API_URL", "PUBLIC_INGEST_URL", "DASHBOARD_ORIGIN"].map((key) => ({
        name: "app-secret",
        key,
      })),
      { name: "turnstile-secret", key: "TURNSTILE_SITE_KEY", optional: true },
    ]);
    expect(secretsOf("postgres")).toEqual(
      ["POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"].map((key) => ({ name: "postgres-secret", key })),
    );
    expect(secretsOf("redis")).toEqual([{ name: "redis-secret", key: "REDIS_PASSWORD" }]);
    expect(secretsOf("migrate")).toEqual([{ name: "postgres-secret", key: "DATABASE_URL" }]);
  });

  test("without which nothing starts has to be there; the rest may be absent", () => {
    const optional = new Set(secretsOf("api").flatMap(({ name, optional }) => (optional ? [name] : [])));
    const needed = new Set(secretsOf("api").flatMap(({ name, optional }) => (optional ? [] : [name])));
    expect([...needed].sort()).toEqual(["app-secret", "postgres-secret", "redis-secret"]);
    expect([...optional].sort()).toEqual([
      "oauth-secret",
      "s3-secret",
      "smtp-secret",
      "stripe-secret",
      "turnstile-secret",
    ]);
  });

  test("stands in one Secret: every secret and variable of the application", () => {
    const keys = Object.values(SECRET_GROUPS).flat();
    // The last ones are the cluster's.
    const own = SECRET_NAMES.slice(0, SECRET_NAMES.indexOf("REGISTRY_TOKEN"));
    expect([...keys].sort()).toEqual([...own, ...VARIABLES, ...DERIVED].sort());
  });

  test("beside it is the same wherever it runs", () => {
    const plain = (name: string) =>
      pods(manifests())[name]!.containers[0].env.flatMap(({ name, value }) =>
        value === undefined ? [] : [[name, value]],
      );
    expect(plain("api")).toEqual([
      ["NODE_ENV", "production"],
      ["PORT", "3000"],
    ]);
    expect(plain("web")).toEqual([
      ["NODE_ENV", "production"],
      ["PORT", "8080"],
      ["API_URL", "http://api:3000"],
    ]);
    expect(plain("ingest-worker")).toEqual([["NODE_ENV", "production"]]);
  });
});
