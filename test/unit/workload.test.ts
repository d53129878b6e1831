import { describe, expect, test } from "vitest";
import { SERVICES } from "../../infra/app/catalogue.ts";
import { manifests, namesOf, ofKind, pods, specOf, WORKLOADS, type Spec } from "./manifests.ts";

describe("a service", () => {
  test("has a Deployment that never has fewer pods than wanted, spread over the nodes", () => {
    const all = manifests();
    expect(namesOf(all, "Deployment")).toEqual(SERVICES.map(({ name }) => name));
    for (const { metadata, spec } of ofKind(all, "Deployment")) {
      expect(spec, metadata.name).toMatchObject({
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        progressDeadlineSeconds: 300,
      });
      expect((spec as Spec).template.spec.topologySpreadConstraints, metadata.name).toMatchObject([
        {
          maxSkew: 1,
          topologyKey: "kubernetes.io/hostname",
          whenUnsatisfiable: "ScheduleAnyway",
          matchLabelKeys: ["pod-template-hash"],
        },
      ]);
    }
  });

  test("may always be drained", () => {
    const all = manifests();
    const budgets = ofKind(all, "PodDisruptionBudget");
    expect(budgets.map(({ metadata }) => metadata.name).sort()).toEqual(
      WORKLOADS.filter((name) => name !== "migrate").sort(),
    );
    for (const { spec, metadata } of budgets)
      expect(spec).toEqual({
        maxUnavailable: 1,
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchLabels: metadata.labels },
      });
  });

  test("that is asked has a Service, and goes on answering while it is taken out of it", () => {
    const all = manifests();
    const of = pods(all);
    expect(namesOf(all, "Service")).toEqual(["postgres", "redis", "api", "web"]);
    expect(specOf(all, "Service", "api")).toEqual({
      type: "ClusterIP",
      selector: { "app.kubernetes.io/name": "api", "app.kubernetes.io/part-of": "rejourney" },
      ports: [{ name: "http", port: 3000, targetPort: "http", protocol: "TCP" }],
    });
    const seconds = (name: string) => of[name]!.terminationGracePeriodSeconds;
    const preStop = { preStop: { sleep: { seconds: 10 } } };
    expect(of.api!.containers[0].lifecycle).toEqual(preStop);
    expect(of.web!.containers[0].lifecycle).toEqual(preStop);
    expect(of["ingest-worker"]!.containers[0].lifecycle).toBeUndefined();
    expect([seconds("api"), seconds("web"), seconds("ingest-worker"), seconds("alert-worker")]).toEqual([
      40, 25, 60, 30,
    ]);
  });

  test("has two minutes to become healthy, or as long as the settings say", () => {
    const limits = (all: ReturnType<typeof manifests>, name: string) => {
      const { startupProbe } = pods(all)[name]!.containers[0];
      const { periodSeconds, failureThreshold } = startupProbe as Record<string, number>;
      const { progressDeadlineSeconds } = specOf(all, "Deployment", name) as Record<string, number>;
      return [periodSeconds! * failureThreshold!, progressDeadlineSeconds];
    };
    expect([limits(manifests(), "api"), limits(manifests(), "alert-worker")]).toEqual([
      [120, 300],
      [120, 300],
    ]);
    const slow = manifests({ services: { api: { startSeconds: 600 } } });
    expect([limits(slow, "api"), limits(slow, "web")]).toEqual([
      [600, 780],
      [120, 300],
    ]);
  });

  test("is probed: by HTTP where it answers, by its connections to the data where it does not", () => {
    const of = pods(manifests());
    const { startupProbe, readinessProbe, livenessProbe } = of.api!.containers[0];
    expect(startupProbe).toMatchObject({ httpGet: { path: "/health", port: "http" } });
    expect(readinessProbe).toMatchObject({ httpGet: { path: "/health", port: "http" }, failureThreshold: 2 });
    expect(livenessProbe).toMatchObject({ tcpSocket: { port: "http" } });
    const worker = of["alert-worker"]!.containers[0];
    expect(JSON.stringify(worker.readinessProbe)).toContain(":(1538|18EB) 01 ");
    expect(JSON.stringify(worker.livenessProbe)).toContain("/ 01 /");

    const external = {
      postgres: { host: "db.example.com", port: 5433 },
      redis: { host: "r.example.com", port: 80 },
    };
    const probed = pods(manifests({ external }))["alert-worker"]!.containers[0];
    expect(JSON.stringify(probed.readinessProbe)).toContain(":(1539|0050) 01 ");
  });

  test("is lean or large: the catalogue says how, and the settings say otherwise", () => {
    const resources = (name: string, config = {}) => pods(manifests(config))[name]!.containers[0].resources;
    expect(resources("api")).toMatchObject({
      requests: { cpu: "100m", memory: "256Mi" },
      limits: { cpu: "500m", memory: "512Mi" },
    });
    expect(
      resources("ingest-worker", { services: { "ingest-worker": { memory: "2G", cpus: 1.5 } } }),
    ).toMatchObject({
      requests: { cpu: "100m", memory: "256Mi" },
      limits: { cpu: "1500m", memory: "2048Mi" },
    });
    // A request above its limit would be refused.
    expect(resources("api", { services: { api: { memory: "128M", cpus: 0.05 } } })).toMatchObject({
      requests: { cpu: "50m", memory: "128Mi" },
      limits: { cpu: "50m", memory: "128Mi" },
    });
  });

  test("runs the catalogue's command, or the settings'", () => {
    const args = (config = {}) => pods(manifests(config))["ingest-worker"]!.containers[0].args;
    expect(args()).toEqual(["node", "dist/worker/ingestWorker.js"]);
    expect(args({ services: { "ingest-worker": { command: ["tsx", "a.ts"] } } })).toEqual(["tsx", "a.ts"]);
    expect(pods(manifests()).api!.containers[0].args).toBeUndefined();
  });
});

describe("the number of pods", () => {
  const numbers = (name: string, override?: object) => {
    const all = manifests(override && { services: { [name]: override } });
    const autoscaler = specOf(all, "HorizontalPodAutoscaler", name);
    return [specOf(all, "Deployment", name)!.replicas, autoscaler?.minReplicas, autoscaler?.maxReplicas];
  };

  test.each([
    ["api", undefined, [undefined, 2, 4]],
    ["web", undefined, [undefined, 2, 4]],
    ["ingest-worker", undefined, [undefined, 2, 8]],
    ["billing-worker", undefined, [1, undefined, undefined]],
    ["ingest-worker", { maxReplicas: 12 }, [undefined, 2, 12]],
    ["ingest-worker", { replicas: 3, maxReplicas: 12 }, [undefined, 3, 12]],
    ["ingest-worker", { replicas: 3 }, [3, undefined, undefined]],
    ["ingest-worker", { maxReplicas: 1 }, [1, undefined, undefined]],
    ["alert-worker", { maxReplicas: 4 }, [undefined, 1, 4]],
    ["alert-worker", { replicas: 0 }, [0, undefined, undefined]],
  ])("of %s with %j: replicas, and the autoscaler's bounds, %j", (name, override, expected) => {
    expect(numbers(name, override)).toEqual(expected);
  });

  test("goes up at once, and down slowly", () => {
    expect(specOf(manifests(), "HorizontalPodAutoscaler", "ingest-worker")).toEqual({
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "ingest-worker" },
      minReplicas: 2,
      maxReplicas: 8,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 60 } },
        },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          selectPolicy: "Max",
          policies: [
            { type: "Percent", value: 100, periodSeconds: 15 },
            { type: "Pods", value: 2, periodSeconds: 15 },
          ],
        },
        scaleDown: {
          stabilizationWindowSeconds: 300,
          policies: [{ type: "Percent", value: 50, periodSeconds: 60 }],
        },
      },
    });
  });
});
