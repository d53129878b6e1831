import { createHmac } from "node:crypto";
import bcrypt from "bcryptjs";
import { describe, expect, test, vi } from "vitest";
import { GENERATED_SECRETS, SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import { DERIVED, VARIABLES } from "../../infra/app/variables.ts";
import type { Manifest } from "../../infra/manifest.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import type { SecretKey } from "../../infra/kubernetes/secret-groups.ts";
import { missingKeys } from "../../infra/kubernetes/secrets.ts";
import { rotationsName } from "../../infra/secrets/names.ts";
import { prod } from "../../stacks/prod.ts";
import { pem } from "./certificate.ts";
import { GENERATOR, recorded, type Registered, slotOf, STASH, STORE, valueOf } from "./mocks.ts";
import { FROM_OUTSIDE, GOOD, kubernetesSettings, OTHER } from "./values.ts";

const SECRETS = [
  "app-secret",
  "oauth-secret",
  "postgres-secret",
  "redis-secret",
  "s3-secret",
  "smtp-secret",
  "stripe-secret",
  "turnstile-secret",
];
const PART = "rejourney:kubernetes:PartDeployment";

async function deploy(
  config: Record<string, unknown> = {},
  env = "",
  inUse: Partial<Record<SecretName, string>> = {},
) {
  const settings = kubernetesSettings(config, env);
  return { settings, ...(await recorded("prod", () => prod(settings), inUse)) };
}

const named = (registered: readonly Registered[], name: string) =>
  registered.find((entry) => entry.name === name)!;
const ofType = (registered: readonly Registered[], type: string) =>
  registered.filter((entry) => entry.type.endsWith(`:${type}`));

/** What a Secret holds, in the clear. */
function dataOf(registered: readonly Registered[], name: string): Record<string, string> {
  const secret = ofType(registered, "Secret").find(
    ({ inputs }) => (inputs as unknown as Manifest).metadata.name === name,
  )!;
  const data = (secret.inputs.data ?? {}) as Record<string, string>;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
  );
}

/** The hash of what they read, by the pods that carry one. */
function hashes(registered: readonly Registered[]): Record<string, string> {
  const templates = registered.flatMap(({ inputs }) => {
    const { metadata, spec } = inputs as unknown as Manifest & { spec?: { template?: PodTemplate } };
    const annotations = spec?.template?.metadata.annotations;
    return annotations === undefined ? [] : [[metadata.name, annotations["rejourney.co/secrets-hash"]!]];
  });
  return Object.fromEntries(templates) as Record<string, string>;
}
interface PodTemplate {
  metadata: { annotations?: Record<string, string> };
}

describe("the stack prod", () => {
  test("has a slot for each secret, and exactly these objects", async () => {
    const { registered } = await deploy();
    const services = ["api", "web", "ingest-worker", "billing-worker", "alert-worker", "retention-worker"];
    const each = (names: readonly string[], type: string, kind: string) =>
      names.map((name) => `kubernetes:${type} rejourney-${name}-${kind}`);
    const platform = (kind: string, ...names: string[]) =>
      names.map((name) => `kubernetes:${kind} rejourney-${name}`);
    const job = ofType(registered, "Job").map(({ name }) => name);
    expect(job).toHaveLength(1);
    expect(job[0]).toMatch(/^rejourney-migrate-job-migrate-[0-9a-f]{10}$/);
    const parts = ["namespace", "secrets", "network-policies", "traefik", "postgres", "redis", "migrate"];
    parts.push(...services, "ingress");
    const policies = ["default-deny", "dns", "postgres-in", "postgres-out", "redis-in", "redis-out"];
    policies.push("api-in", "web-in", "challenge-in", "web-to-api", "outside");
    const expected = [
      `${STORE} secrets`,
      ...SECRET_NAMES.map((name) => `${STASH} ${slotOf(name)}`),
      ...GENERATED_SECRETS.map((name) => `${GENERATOR} ${slotOf(name)}-generated`),
      `${GENERATOR} secrets-hash-key`,
      `${STASH} ${rotationsName()}`,
      "rejourney:kubernetes:KubernetesDeployment rejourney",
      "pulumi:providers:kubernetes rejourney-cluster",
      ...parts.map((name) => `${PART} rejourney-${name}`),
      ...platform("core/v1:Namespace", "namespace-namespace"),
      ...platform("core/v1:LimitRange", "namespace-limit-range-defaults"),
      ...platform("core/v1:ResourceQuota", "namespace-resource-quota-quota"),
      ...platform("storage.k8s.io/v1:StorageClass", "namespace-storage-class-rejourney-data"),
      ...["data", "serving", "worker"].map(
        (name) =>
          `kubernetes:scheduling.k8s.io/v1:PriorityClass rejourney-namespace-priority-class-rejourney-${name}`,
      ),
      ...["postgres-data", "redis-data"].map(
        (name) =>
          `kubernetes:core/v1:PersistentVolumeClaim rejourney-namespace-persistent-volume-claim-${name}`,
      ),
      ...SECRETS.map((name) => `kubernetes:core/v1:Secret rejourney-secrets-secret-${name}`),
      ...policies.map(
        (name) =>
          `kubernetes:networking.k8s.io/v1:NetworkPolicy rejourney-network-policies-network-policy-${name}`,
      ),
      ...each(["postgres", "redis", "migrate", ...services], "core/v1:ServiceAccount", "service-account"),
      ...each(["postgres", "redis"], "apps/v1:StatefulSet", "stateful-set"),
      ...each(["postgres", "redis", "api", "web"], "core/v1:Service", "service"),
      ...each(["postgres", "redis", ...services], "policy/v1:PodDisruptionBudget", "pod-disruption-budget"),
      ...each(services, "apps/v1:Deployment", "deployment"),
      ...each(
        ["api", "web", "ingest-worker"],
        "autoscaling/v2:HorizontalPodAutoscaler",
        "horizontal-pod-autoscaler",
      ),
      `kubernetes:batch/v1:Job ${job[0]}`,
      "kubernetes:helm.cattle.io/v1:HelmChartConfig rejourney-traefik-helm-chart-config",
      "kubernetes:cert-manager.io/v1:ClusterIssuer rejourney-traefik-cluster-issuer-rejourney-letsencrypt",
      ...["web", "api", "ingest"].map(
        (name) => `kubernetes:cert-manager.io/v1:Certificate rejourney-traefik-certificate-${name}-tls`,
      ),
      ...[
        "redirect-https",
        "security-headers",
        ...["web", "api", "ingest"].map((name) => `${name}-rate-limit`),
        ...["api", "ingest"].map((name) => `${name}-body-limit`),
      ].map((name) => `kubernetes:traefik.io/v1alpha1:Middleware rejourney-ingress-middleware-${name}`),
      ...["web", "api", "ingest", "http"].map(
        (name) => `kubernetes:networking.k8s.io/v1:Ingress rejourney-ingress-ingress-${name}`,
      ),
    ];
    expect(registered.map(({ type, name }) => `${type} ${name}`).sort()).toEqual(expected.sort());
  });

  test("registers what is rendered, and the Secrets beside", async () => {
    const { settings, registered } = await deploy();
    const manifests = stages(settings).flatMap((stage) => stage.flatMap((part) => part.manifests));
    const key = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`;
    const objects = new Map(
      registered
        .filter(({ type }) => type.startsWith("kubernetes:"))
        .map(({ inputs }) => inputs as unknown as Manifest)
        .map((manifest) => [key(manifest), manifest]),
    );
    for (const manifest of manifests) {
      const { spec, ...rest } = objects.get(key(manifest))!;
      const { template } = Object(spec) as { template?: PodTemplate };
      // But for the hash, which no file has.
      if (manifest.kind !== "Job") delete template?.metadata.annotations;
      const { annotations, ...metadata } = manifest.metadata;
      const added = {
        "pulumi.com/patchForce": "true",
        ...(manifest.kind === "Ingress" && { "pulumi.com/skipAwait": "true" }),
      };
      expect({ ...rest, ...(spec !== undefined && { spec }) }).toEqual({
        ...manifest,
        metadata: { ...metadata, annotations: { ...annotations, ...added } },
      });
      objects.delete(key(manifest));
    }
    expect([...objects.keys()].sort()).toEqual(SECRETS.map((name) => `Secret ${name}`));
  });

  test("makes each stage wait for the one before, and lets data wait for its StorageClass alone", async () => {
    const { registered } = await deploy();
    const waits = (name: string) => named(registered, name).dependsOn;
    const last = (part: string) => {
      const entries = registered.filter(({ parent }) => parent === `rejourney-${part}`);
      const waited = new Set(entries.flatMap(({ dependsOn }) => dependsOn));
      return entries.map(({ name }) => name).filter((name) => !waited.has(name));
    };
    expect(waits("rejourney-namespace-namespace")).toEqual([]);
    for (const { dependsOn } of ofType(registered, "PersistentVolumeClaim"))
      expect([...dependsOn].sort()).toEqual([
        "rejourney-namespace-namespace",
        "rejourney-namespace-storage-class-rejourney-data",
      ]);
    const api = "rejourney-api-service-account";
    expect(waits(api)).toEqual(ofType(registered, "Job").map(({ name }) => name));
    expect(waits("rejourney-api-deployment")).toEqual([api]);
    expect(waits("rejourney-api-service")).toEqual(["rejourney-api-deployment"]);
    expect(waits("rejourney-migrate-service-account").sort()).toEqual(
      ["postgres", "redis"].map((name) => `rejourney-${name}-pod-disruption-budget`),
    );
    expect(waits("rejourney-web-service-account").sort()).toEqual(
      ["horizontal-pod-autoscaler", "pod-disruption-budget", "service"].map(
        (kind) => `rejourney-api-${kind}`,
      ),
    );
    expect(waits("rejourney-postgres-service-account").sort()).toEqual(
      [...last("network-policies"), ...last("traefik")].sort(),
    );
    expect(waits("rejourney-ingress-middleware-security-headers")).toContain("rejourney-web-service");
    expect(waits("rejourney-ingress-ingress-web")).toContain("rejourney-ingress-middleware-security-headers");
    const [deployment] = ofType(registered, "KubernetesDeployment");
    expect(deployment!.dependsOn).toEqual(["secrets"]);
  });

  test("protects what holds data, and leaves it in the cluster when the stack goes", async () => {
    const { registered } = await deploy();
    const kept = registered.filter(({ type, protect }) => type.startsWith("kubernetes:") && protect);
    expect(kept.map(({ name }) => name).sort()).toEqual([
      "rejourney-namespace-namespace",
      "rejourney-namespace-persistent-volume-claim-postgres-data",
      "rejourney-namespace-persistent-volume-claim-redis-data",
    ]);
    for (const { name, retainOnDelete } of registered)
      expect({ name, retainOnDelete }).toEqual({
        name,
        retainOnDelete: kept.some((entry) => entry.name === name),
      });
  });

  test("takes no kubeconfig into the state, not even its path", async () => {
    vi.stubEnv("KUBECONFIG", "/somewhere/kubeconfig");
    const { registered } = await deploy();
    vi.unstubAllEnvs();
    expect(named(registered, "rejourney-cluster").inputs).toEqual({
      clusterIdentifier: "rejourney-prod",
      enableSecretMutable: "true",
    });
  });

  test("names its cluster, so that a changed address of it replaces nothing", async () => {
    const { registered, providers } = await deploy();
    for (const { name } of registered.filter(({ type }) => type.startsWith("kubernetes:")))
      expect({ name, provider: providers[name] }).toEqual({
        name,
        provider: expect.stringMatching(/::rejourney-cluster::/) as string,
      });
    expect(named(registered, "rejourney-cluster").inputs).toMatchObject({
      clusterIdentifier: "rejourney-prod",
    });
  });
});

describe("the Secrets", () => {
  test("are secret, and nothing else holds a value of theirs", async () => {
    const env = `JWT_SECRET=${GOOD}\nSMTP_PASS=mail-password`;
    const { registered } = await deploy(
      { registry: { user: "reader" } },
      `${env}\nREGISTRY_TOKEN=pull-token`,
    );
    const secrets = ofType(registered, "Secret");
    expect(secrets).toHaveLength(SECRETS.length + 1);
    // One without a value is not marked: the engine would find a change in that at every run.
    for (const { name, secret, inputs } of secrets)
      expect({ name, secret }).toEqual({ name, secret: inputs.data === undefined ? [] : ["data"] });
    const values = [GOOD, "mail-password", "pull-token", "secrets-postgres-password-generated made"];
    const open = registered.filter(
      ({ type }) => ![STASH, GENERATOR, "kubernetes:core/v1:Secret"].includes(type),
    );
    for (const value of values)
      for (const form of [value, Buffer.from(value).toString("base64"), encodeURIComponent(value)])
        expect(JSON.stringify(open)).not.toContain(form);
  });

  test("hold every value in use, and no key that nobody has set", async () => {
    const env =
      "POSTGRES_PASSWORD='p@ss/w%rd of ours'\nREDIS_PASSWORD='a#b of the queue'\nSMTP_HOST=mail.example.com\nSMTP_PASS=mail";
    const { registered } = await deploy({}, env, { JWT_SECRET: "in use" });
    expect(dataOf(registered, "postgres-secret")).toEqual({
      POSTGRES_USER: "rejourney",
      POSTGRES_PASSWORD: "p@ss/w%rd of ours",
      POSTGRES_DB: "rejourney",
      DATABASE_URL: "postgresql://rejourney:p%40ss%2Fw%25rd%20of%20ours@postgres:5432/rejourney",
    });
    expect(dataOf(registered, "redis-secret")).toEqual({
      REDIS_URL: "redis://:a%23b%20of%20the%20queue@redis:6379/0",
      REDIS_PASSWORD: "a#b of the queue",
    });
    expect(dataOf(registered, "app-secret")).toEqual({
      JWT_SECRET: "in use",
      JWT_SIGNING_KEY: "secrets-jwt-signing-key-generated made",
      INGEST_HMAC_SECRET: "secrets-ingest-hmac-secret-generated made",
      STORAGE_ENCRYPTION_KEY: "secrets-storage-encryption-key-generated made",
      SELF_HOSTED_MODE: "false",
      PUBLIC_DASHBOARD_URL: "https://r.example.com",
      PUBLIC_API_URL: "https://api.r.example.com",
      PUBLIC_INGEST_URL: "https://ingest.r.example.com",
      DASHBOARD_ORIGIN: "https://r.example.com",
    });
    expect(dataOf(registered, "smtp-secret")).toEqual({
      SMTP_HOST: "mail.example.com",
      SMTP_PORT: "587",
      SMTP_PASS: "mail",
      SMTP_SECURE: "false",
    });
    // A cluster's buckets stand in the database, so that keys for them are not made up.
    for (const name of ["s3-secret", "oauth-secret", "stripe-secret", "turnstile-secret"])
      expect(dataOf(registered, name), name).toEqual({});
  });

  test("lead to data services that somebody else runs", async () => {
    const external = {
      postgres: { host: "db.example.com", sslmode: "verify-full" },
      redis: { host: "10.0.0.7", port: 6380 },
    };
    const { registered } = await deploy(
      { external },
      "POSTGRES_PASSWORD=p7-of-our-provider\nREDIS_PASSWORD=r7-of-our-provider",
    );
    expect(dataOf(registered, "postgres-secret").DATABASE_URL).toBe(
      "postgresql://rejourney:p7-of-our-provider@db.example.com:5432/rejourney?sslmode=verify-full",
    );
    expect(dataOf(registered, "redis-secret").REDIS_URL).toBe("rediss://:r7-of-our-provider@10.0.0.7:6380/0");
  });

  test("pull images, where a registry is named", async () => {
    const registry = { host: "registry.example.com", user: "reader" };
    const { registered } = await deploy({ registry }, "REGISTRY_TOKEN=pull-token");
    const config = JSON.parse(dataOf(registered, "ghcr-secret")[".dockerconfigjson"]!) as unknown;
    const auth = Buffer.from("reader:pull-token").toString("base64");
    expect(config).toEqual({ auths: { "registry.example.com": { auth } } });
  });

  test("hold Cloudflare's certificate, where it is used", async () => {
    const { certificate, key } = await pem("r.example.com", { others: ["*.r.example.com"] });
    const { registered } = await deploy(
      { tls: "cloudflare-origin", cloudflare: {} },
      `ORIGIN_CERTIFICATE='${certificate}'\nORIGIN_PRIVATE_KEY='${key}'`,
    );
    const entry = named(registered, "rejourney-secrets-secret-cloudflare-origin-tls");
    expect(entry).toMatchObject({ secret: ["data"], inputs: { type: "kubernetes.io/tls" } });
    expect(dataOf(registered, "cloudflare-origin-tls")).toEqual({ "tls.crt": certificate, "tls.key": key });
  });

  test("hold who may see Traefik's dashboard, as bcrypt, and the same again for the same password", async () => {
    const of = async (password: string) => {
      const { registered } = await deploy(
        { traefikDashboard: { user: "ops" } },
        `TRAEFIK_DASHBOARD_PASSWORD=${password}`,
      );
      const entry = named(registered, "rejourney-secrets-secret-traefik-dashboard-auth-secret");
      expect(entry).toMatchObject({ secret: ["data"], inputs: { metadata: { namespace: "kube-system" } } });
      const { users } = dataOf(registered, "traefik-dashboard-auth-secret");
      const [, user, hash] = /^([^:]+):(\$2b\$10\$.{53})\n$/.exec(users!)!;
      expect(user).toBe("ops");
      return hash!;
    };
    const hash = await of("one-of-the-ops");
    expect(await bcrypt.compare("one-of-the-ops", hash)).toBe(true);
    expect(await bcrypt.compare("another-of-the-ops", hash)).toBe(false);
    expect(await of("one-of-the-ops")).toBe(hash);
    expect((await of("another-of-the-ops")).slice(0, 29)).not.toBe(hash.slice(0, 29));
  });

  test("are not made while something that they need is missing", () => {
    const names = [...SECRET_NAMES, ...VARIABLES, ...DERIVED];
    const all = Object.fromEntries(names.map((name) => [name, "x"])) as Record<SecretKey, string>;
    const missing = (values: Partial<Record<SecretKey, string>>, config = {}) =>
      missingKeys(kubernetesSettings(config), { ...all, ...values });
    expect(missing({ SMTP_PASS: "", S3_ACCESS_KEY_ID: "", REGISTRY_TOKEN: "" })).toEqual([]);
    expect(missing({ POSTGRES_PASSWORD: "", JWT_SECRET: "" })).toEqual(["POSTGRES_PASSWORD", "JWT_SECRET"]);
    expect(missing({ REGISTRY_TOKEN: "" }, { registry: { user: "reader" } })).toEqual(["REGISTRY_TOKEN"]);
    const edge = {
      ORIGIN_CERTIFICATE: "",
      ORIGIN_PRIVATE_KEY: "",
      TRAEFIK_DASHBOARD_PASSWORD: "",
    };
    expect(missing(edge)).toEqual([]);
    expect(missing(edge, { tls: "cloudflare-origin", cloudflare: {}, traefikDashboard: {} })).toEqual(
      Object.keys(edge),
    );
  });

  test("of what another party runs are not generated", async () => {
    const external = { postgres: { host: "db.example.com" }, redis: { host: "10.0.0.7" } };
    expect(kubernetesSettings({ external }).notGenerated).toEqual([
      "S3_ACCESS_KEY_ID",
      "S3_SECRET_ACCESS_KEY",
      "POSTGRES_PASSWORD",
      "REDIS_PASSWORD",
    ]);
    const { registered } = await deploy();
    expect(named(registered, slotOf("S3_SECRET_ACCESS_KEY")).inputs).toEqual({ input: "" });
    // Its generator stays registered all the same: one that goes would be deleted, and it is protected.
    expect(ofType(registered, "RandomPassword").map(({ name }) => name)).toContain(
      `${slotOf("S3_SECRET_ACCESS_KEY")}-generated`,
    );
  });
});

describe("a changed secret", () => {
  test("changes the pods of those who read it, and of nobody else", async () => {
    const of = async (env: string) => hashes((await deploy({}, env)).registered);
    const before = await of("SMTP_PASS=one");
    const pods = [
      "alert-worker",
      "api",
      "billing-worker",
      "ingest-worker",
      "postgres",
      "redis",
      "retention-worker",
    ];
    expect(Object.keys(before).sort()).toEqual([...pods, "web"]);
    // With a key that is generated too, so that a short secret cannot be guessed from its hash.
    const hmac = createHmac("sha256", "secrets-hash-key made");
    hmac.update('[["REDIS_PASSWORD","secrets-redis-password-generated made"]]');
    expect(before.redis).toBe(hmac.digest("hex").slice(0, 16));

    const changed = async (env: string) => {
      const after = await of(env);
      return Object.keys(after)
        .filter((name) => after[name] !== before[name])
        .sort();
    };
    expect(await changed("SMTP_PASS=one")).toEqual([]);
    expect(await changed("SMTP_PASS=two")).toEqual(["alert-worker", "api"]);
    expect(await changed(`SMTP_PASS=one\nJWT_SECRET=${OTHER}`)).toEqual(
      pods.filter((name) => !["postgres", "redis"].includes(name)),
    );
    // A variable that is not secret, but read from a Secret too.
    expect(await changed("SMTP_PASS=one\nPUBLIC_API_URL=https://a.example.com")).toEqual(
      [...pods.filter((name) => !["postgres", "redis"].includes(name)), "web"].sort(),
    );
  });

  test("does not run a migration again", async () => {
    const job = async (env: string) =>
      ofType((await deploy({}, env)).registered, "Job").map(({ name }) => name);
    expect(await job("POSTGRES_PASSWORD=one-of-the-team")).toEqual(
      await job("POSTGRES_PASSWORD=another-of-the-team"),
    );
  });
});

test("the outputs are addresses and names", async () => {
  const { outputs } = await deploy({}, `JWT_SECRET=${GOOD}\nSMTP_HOST=mx.example.com`, { JWT_SECRET: OTHER });
  const values = Object.entries(outputs).map(async ([name, value]) => [name, await valueOf(value)] as const);
  expect(Object.fromEntries(await Promise.all(values))).toEqual({
    dashboard: "https://r.example.com",
    api: "https://api.r.example.com",
    secretsThatDifferFromTheirSource: ["JWT_SECRET"],
    secretsThatAreEmpty: ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", ...FROM_OUTSIDE],
    environment: { SMTP_HOST: "mx.example.com" },
    variablesFromEnv: ["SMTP_HOST"],
  });
});
