import { describe, expect, test } from "vitest";
import { manifests, namesOf, ofKind, pods, specOf } from "./manifests.ts";
import { kubernetesSettings } from "./values.ts";

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
      "challenge-in",
      "web-to-api",
      "outside",
    ]);
    expect(specOf(all, "NetworkPolicy", "default-deny")).toEqual({
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
    });
    expect(specOf(all, "NetworkPolicy", "outside")!.egress).toEqual([
      {
        to: [
          {
            ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16", "10.42.0.0/16", "10.43.0.0/16"] },
          },
        ],
        ports: [
          { protocol: "TCP", port: 443 },
          { protocol: "TCP", port: 465 },
        ],
      },
    ]);
  });
});
