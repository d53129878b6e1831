import { describe, expect, test } from "vitest";
import { SERVICES } from "../../infra/app/catalogue.ts";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import { DERIVED, VARIABLES } from "../../infra/app/variables.ts";
import type { Manifest } from "../../infra/kubernetes/manifest.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import { SECRET_GROUPS } from "../../infra/kubernetes/secret-groups.ts";
import { kubernetesSettings } from "./values.ts";

interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env: EnvVariable[];
  resources: Record<"requests" | "limits", Record<string, string>>;
  securityContext: object;
  lifecycle?: object;
  volumeMounts?: { name: string; mountPath: string }[];
  startupProbe?: object;
  readinessProbe?: object;
  livenessProbe?: object;
}
interface EnvVariable {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef: { name: string; key: string; optional?: boolean } };
}
interface Pod {
  serviceAccountName: string;
  automountServiceAccountToken: boolean;
  enableServiceLinks: boolean;
  imagePullSecrets?: object[];
  priorityClassName: string;
  securityContext: object;
  terminationGracePeriodSeconds?: number;
  nodeSelector?: object;
  topologySpreadConstraints?: object[];
  initContainers?: (Container & { restartPolicy?: string })[];
  containers: [Container];
  volumes: { name: string }[];
}
interface Spec extends Record<string, unknown> {
  replicas?: number;
  template: { metadata: { labels: Record<string, string> }; spec: Pod };
}

function manifests(config: Record<string, unknown> = {}, env = ""): Manifest[] {
  return stages(kubernetesSettings(config, env)).flatMap((stage) => stage.flatMap((part) => part.manifests));
}
const ofKind = (all: readonly Manifest[], kind: string) => all.filter((manifest) => manifest.kind === kind);
const namesOf = (all: readonly Manifest[], kind: string) =>
  ofKind(all, kind).map(({ metadata }) => metadata.name);
const specOf = (all: readonly Manifest[], kind: string, name: string) =>
  ofKind(all, kind).find(({ metadata }) => metadata.name === name)?.spec as Spec | undefined;

/** Every pod, by the name of its workload; of the Job, without its hash. */
function pods(all: readonly Manifest[]): Record<string, Pod> {
  const workloads = all.filter(({ kind }) => ["Deployment", "StatefulSet", "Job"].includes(kind));
  return Object.fromEntries(
    workloads.map(({ metadata, spec }) => [
      metadata.name.replace(/^migrate-.*/, "migrate"),
      (spec as Spec).template.spec,
    ]),
  );
}
const containersOf = ({ initContainers = [], containers }: Pod) => [...initContainers, ...containers];
const WORKLOADS = ["postgres", "redis", "migrate", ...SERVICES.map(({ name }) => name)];

describe("the order", () => {
  test("is what others need first: data, migration, API, the other services", () => {
    const names = (config: Record<string, unknown>) =>
      stages(kubernetesSettings(config)).map((stage) => stage.map(({ name }) => name));
    const application = [
      ["migrate"],
      ["api"],
      ["web", "ingest-worker", "billing-worker", "alert-worker", "retention-worker"],
    ];
    const platform = [["namespace"], ["network-policies"]];
    expect(names({})).toEqual([...platform, ["postgres", "redis"], ...application]);
    const external = { postgres: { host: "db.example.com" }, redis: { host: "10.0.0.7" } };
    expect(names({ external })).toEqual([...platform, ...application]);
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
    const all = [...SECRET_NAMES.filter((name) => name !== "REGISTRY_TOKEN"), ...VARIABLES, ...DERIVED];
    expect([...keys].sort()).toEqual([...all].sort());
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
        { maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway" },
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

describe("the data services", () => {
  test("run on storage nodes, one pod each, on a claim that outlives them", () => {
    const all = manifests({ data: { postgres: { storage: "80G" } } });
    expect(namesOf(all, "StatefulSet")).toEqual(["postgres", "redis"]);
    for (const name of ["postgres", "redis"]) {
      const { replicas, serviceName, template, volumeClaimTemplates } = specOf(all, "StatefulSet", name)!;
      expect({ replicas, serviceName, volumeClaimTemplates }).toEqual({ replicas: 1, serviceName: name });
      expect(template.spec.nodeSelector).toEqual({ "rejourney.co/storage-node": "true" });
      expect(template.spec.volumes).toContainEqual({
        name: "data",
        persistentVolumeClaim: { claimName: `${name}-data` },
      });
      expect(specOf(all, "Service", name)).toMatchObject({ clusterIP: "None" });
    }
    const claim = (storage: string) => ({
      accessModes: ["ReadWriteOnce"],
      storageClassName: "rejourney-data",
      resources: { requests: { storage } },
    });
    expect(specOf(all, "PersistentVolumeClaim", "postgres-data")).toEqual(claim("80Gi"));
    expect(specOf(all, "PersistentVolumeClaim", "redis-data")).toEqual(claim("5Gi"));
  });

  test("keep their volumes: by a class that retains them, or one that the settings name", () => {
    expect(ofKind(manifests(), "StorageClass")).toMatchObject([
      {
        metadata: { name: "rejourney-data" },
        provisioner: "rancher.io/local-path",
        reclaimPolicy: "Retain",
        volumeBindingMode: "WaitForFirstConsumer",
      },
    ]);
    const all = manifests({ storageClass: "longhorn" });
    expect(ofKind(all, "StorageClass")).toEqual([]);
    expect(specOf(all, "PersistentVolumeClaim", "redis-data")).toMatchObject({
      storageClassName: "longhorn",
    });
  });

  test("are tuned to the memory that they get for themselves", () => {
    const of = pods(manifests({ data: { postgres: { memory: "4G", cpus: 3 }, redis: { memory: "1G" } } }));
    const { args, resources, volumeMounts } = of.postgres!.containers[0];
    expect(args!.filter((arg) => arg !== "-c")).toEqual([
      "postgres",
      "max_connections=200",
      "shared_buffers=1024MB",
      "effective_cache_size=3072MB",
      "maintenance_work_mem=256MB",
    ]);
    expect(resources).toMatchObject({
      requests: { cpu: "250m", memory: "4096Mi" },
      limits: { cpu: "3000m", memory: "4096Mi" },
    });
    expect(volumeMounts!.map(({ mountPath }) => mountPath)).toEqual([
      "/var/lib/postgresql",
      "/dev/shm",
      "/var/run/postgresql",
      "/tmp",
    ]);
    const redis = of.redis!.containers[0];
    expect(redis.resources).toMatchObject({ requests: { memory: "1024Mi" }, limits: { memory: "1024Mi" } });
    expect(redis.command!.join(" ")).toContain(
      "--appendonly yes --maxmemory 768mb --maxmemory-policy noeviction",
    );
    expect(redis.command!.join(" ")).toContain('requirepass "$password"');
  });

  test("that somebody else runs are not deployed, and are reached where they are", () => {
    const external = { postgres: { host: "db.example.com", port: 5433 }, redis: { host: "10.0.0.7" } };
    const all = manifests({ external });
    for (const kind of ["StatefulSet", "PersistentVolumeClaim", "StorageClass"])
      expect(ofKind(all, kind)).toEqual([]);
    expect(kubernetesSettings({ external }).addresses).toEqual({
      postgres: { host: "db.example.com", port: 5433, sslmode: "require" },
      redis: { host: "10.0.0.7", port: 6379, tls: true },
    });
    const anywhere = { to: [{ ipBlock: { cidr: "0.0.0.0/0" } }] };
    expect(specOf(all, "NetworkPolicy", "postgres-out")!.egress).toEqual([
      { ...anywhere, ports: [{ protocol: "TCP", port: 5433 }] },
    ]);
    expect(specOf(all, "NetworkPolicy", "postgres-in")).toBeUndefined();
    const [lock] = pods(all).migrate!.initContainers!;
    expect(lock!.env.filter(({ value }) => value !== undefined)).toEqual([
      { name: "PGHOST", value: "db.example.com" },
      { name: "PGPORT", value: "5433" },
      { name: "PGCONNECT_TIMEOUT", value: "5" },
      { name: "PGSSLMODE", value: "require" },
    ]);
  });
});

describe("the migration", () => {
  const job = (config = {}) => namesOf(manifests(config), "Job");

  test("is one Job per release: another name for another release, the same for the same", () => {
    const [name, ...others] = job();
    expect(others).toEqual([]);
    expect(name).toMatch(/^migrate-[0-9a-f]{10}$/);
    expect(job()).toEqual([name]);
    expect(job({ services: { api: { memory: "1G" } } })).toEqual([name]);
    for (const config of [{ release: "1.5.0" }, { migrateCommand: ["tsx", "src/db/seed.ts"] }])
      expect(job(config)).not.toEqual([name]);
  });

  test("runs beside a sidecar that holds an advisory lock, and only once it holds it", () => {
    const { initContainers, containers } = pods(manifests()).migrate!;
    const [lock, ...others] = initContainers!;
    expect(others).toEqual([]);
    expect(lock!.restartPolicy).toBe("Always");
    expect(lock!.command!.at(-1)).toContain("select pg_advisory_lock(5270517)");
    expect(lock!.startupProbe).toMatchObject({ exec: { command: ["test", "-e", "/lock/held"] } });
    expect(containers.map(({ args }) => args)).toEqual([["drizzle-kit", "migrate"]]);
    const settings = { migrateCommand: ["tsx", "src/db/seed.ts"] };
    expect(pods(manifests(settings)).migrate!.containers[0].args).toEqual(["tsx", "src/db/seed.ts"]);
  });

  test("is tried three times, for half an hour at most", () => {
    const [name] = job();
    expect(specOf(manifests(), "Job", name!)).toMatchObject({ backoffLimit: 2, activeDeadlineSeconds: 1800 });
  });
});

describe("the namespace", () => {
  test("enforces Pod Security restricted, and warns and writes down", () => {
    const [namespace] = ofKind(manifests(), "Namespace");
    expect(namespace!.metadata).toEqual({
      name: "rejourney",
      labels: {
        "app.kubernetes.io/part-of": "rejourney",
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/audit": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
      },
    });
  });

  test("has room for every service at its most, a rollout, and Jobs beside; no more", () => {
    const quota = (config = {}) =>
      specOf(manifests(config), "ResourceQuota", "quota")!.hard as Record<string, string>;
    // api 4 + 1, web 4 + 1, ingest 8 + 1, three workers 1 + 1, two data services, two migrations, ten beside.
    expect(quota()).toEqual({
      pods: "39",
      "limits.cpu": "26000m",
      "limits.memory": "24576Mi",
    });
    const more = quota({ services: { "ingest-worker": { maxReplicas: 9, memory: "1G" } } });
    expect(more).toMatchObject({ pods: "40", "limits.memory": `${24_576 + 10 * 1024 - 9 * 768}Mi` });
  });

  test("gives what somebody starts by hand a limit", () => {
    expect(specOf(manifests(), "LimitRange", "defaults")).toMatchObject({
      limits: [{ type: "Container", default: { cpu: "500m", memory: "512Mi" } }],
    });
  });

  test("denies every flow, but for those that exist", () => {
    const all = manifests(
      {},
      "SMTP_HOST=mail.example.com\nSMTP_PORT=465\nSMTP_USER=a\nSMTP_FROM=a@example.com",
    );
    expect(namesOf(all, "NetworkPolicy")).toEqual([
      "default-deny",
      "dns",
      "postgres-in",
      "postgres-out",
      "redis-in",
      "redis-out",
      "api-in",
      "web-in",
      "web-to-api",
      "outside",
    ]);
    expect(specOf(all, "NetworkPolicy", "default-deny")).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
    expect(specOf(all, "NetworkPolicy", "outside")!.egress).toEqual([
      {
        to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } }],
        ports: [
          { protocol: "TCP", port: 443 },
          { protocol: "TCP", port: 465 },
        ],
      },
    ]);
  });
});
