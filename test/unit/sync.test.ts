import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { describe, expect, test } from "vitest";
import { Progress } from "../../cli/engine/progress.ts";
import { clusterPlan, contentsOf, dockerPlan, orphans, type Secrets } from "../../cli/secrets/sync-plan.ts";
import { definitionOf, SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import type { SettingsError } from "../../infra/settings/problem.ts";
import { dockerSettings, kubernetesSettings } from "./values.ts";

const NONE = Object.fromEntries(SECRET_NAMES.map((name) => [name, ""])) as Secrets;
const ALL = Object.fromEntries(SECRET_NAMES.map((name) => [name, `of ${name}`])) as Secrets;
const having = (values: Partial<Secrets>): Secrets => ({ ...ALL, ...values });

describe("a plan", () => {
  test("of a single node tells what changes, and who reads it", () => {
    const settings = dockerSettings();
    const next = having({ SMTP_PASS: "another", STRIPE_SECRET_KEY: "", TURNSTILE_SECRET_KEY: "new" });
    expect(dockerPlan(settings, having({ TURNSTILE_SECRET_KEY: "" }), next)).toEqual({
      added: ["TURNSTILE_SECRET_KEY"],
      changed: ["SMTP_PASS"],
      removed: ["STRIPE_SECRET_KEY"],
      drifted: [],
      unchanged: SECRET_NAMES.filter(
        (name) => !["SMTP_PASS", "STRIPE_SECRET_KEY", "TURNSTILE_SECRET_KEY"].includes(name),
      ).sort(),
      restarts: ["api", "alert-worker"],
    });
    expect(dockerPlan(settings, ALL, having({ S3_ACCESS_KEY_ID: "another" })).restarts).toEqual([
      ...["api", "ingest-worker", "alert-worker", "retention-worker", "storage"],
    ]);
    expect(dockerPlan(settings, ALL, ALL).restarts).toEqual([]);
  });

  test("of a cluster tells the keys of Secrets, and what is not as it was deployed", () => {
    const settings = kubernetesSettings();
    const contents = (values: Partial<Secrets>) => contentsOf(settings, having(values), "key");
    const deployed = contents({});
    const { "rejourney/smtp-secret/SMTP_PASS": gone, ...without } = deployed;
    expect(gone).toBe("of SMTP_PASS");
    const live = { ...without, "rejourney/app-secret/JWT_SECRET": "of somebody else" };
    const next = contents({ STRIPE_WEBHOOK_SECRET: "another", GITHUB_CLIENT_SECRET: "" });
    expect(clusterPlan(settings, { deployed, next, live })).toEqual({
      added: [],
      changed: ["rejourney/stripe-secret/STRIPE_WEBHOOK_SECRET"],
      removed: ["rejourney/oauth-secret/GITHUB_CLIENT_SECRET"],
      drifted: ["rejourney/app-secret/JWT_SECRET", "rejourney/smtp-secret/SMTP_PASS"],
      unchanged: expect.arrayContaining(["rejourney/postgres-secret/DATABASE_URL"]) as unknown,
      restarts: ["api", "billing-worker"],
    });
  });

  test("removes nothing that was generated", () => {
    const names = (settings: Parameters<typeof orphans>[2], sources: Partial<Secrets> = {}) =>
      orphans(ALL, sources, settings);
    const outside = SECRET_NAMES.slice(SECRET_NAMES.indexOf("SMTP_PASS"));
    expect(names(dockerSettings())).toEqual(outside);
    expect(names(dockerSettings(), { SMTP_PASS: "x" })).toEqual(outside.slice(1));
    expect(names(kubernetesSettings())).toEqual(["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", ...outside]);
    expect(orphans(NONE, {}, dockerSettings())).toEqual([]);
  });

  test("lacks nothing that is needed", () => {
    const missing = (values: Partial<Secrets>, config = {}) => {
      try {
        contentsOf(kubernetesSettings(config), having(values), "key");
        return [];
      } catch (error) {
        return (error as SettingsError).problems.map(({ key, fix }) => [key, fix]);
      }
    };
    expect(missing({})).toEqual([]);
    expect(missing({ JWT_SECRET: "" })).toEqual([
      ["JWT_SECRET", "npx rejourney secrets generate --stack prod"],
    ]);
    expect(missing({ REGISTRY_TOKEN: "" }, { registry: { host: "r.example.com", user: "u" } })).toEqual([
      ["REGISTRY_TOKEN", "add it to .env"],
    ]);
  });
});

describe("a change of the engine's", () => {
  const ofSecrets = (type: string, op: string, before: object, after: object): boolean => {
    const progress = new Progress(() => {});
    const metadata = { op, type, urn: `urn::${type}::a`, old: { inputs: before }, new: { inputs: after } };
    progress.onEvent({ resourcePreEvent: { metadata } } as unknown as EngineEvent);
    return progress.changes[0]!.ofSecrets;
  };
  const pods = (hash: string, image: string) => ({
    spec: { template: { metadata: { annotations: { "rejourney.co/secrets-hash": hash } }, image } },
  });
  const deployment = "kubernetes:apps/v1:Deployment";
  const command = "command:local:Command";

  test.each<[boolean, string, string, string, object, object]>([
    [true, "a Secret is made again", "kubernetes:core/v1:Secret", "create", {}, {}],
    [true, "its readers get another hash", deployment, "update", pods("1", "a"), pods("2", "a")],
    [false, "they get another image too", deployment, "update", pods("1", "a"), pods("2", "b")],
    [false, "a workload is made", deployment, "create", {}, {}],
    [
      true,
      "a port may be reached",
      "kubernetes:networking.k8s.io/v1:NetworkPolicy",
      "update",
      { a: 1 },
      { a: 2 },
    ],
    [false, "a policy goes", "kubernetes:networking.k8s.io/v1:NetworkPolicy", "delete", {}, {}],
    [
      true,
      "a single node's services get other values",
      command,
      "update",
      { environment: { SECRETS_HASH_API: "1", SERVICE_API: "SMTP_HOST: ${SMTP_HOST:-a}" } },
      { environment: { SECRETS_HASH_API: "2", SERVICE_API: "SMTP_HOST: ${SMTP_HOST:-b}" } },
    ],
    [
      false,
      "they get another image too",
      command,
      "update",
      { environment: { SERVICE_API: "image: a" } },
      { environment: { SERVICE_API: "image: b" } },
    ],
  ])("is one of secrets, %s: %s", (expected, _, type, op, before, after) => {
    expect(ofSecrets(type, op, before, after)).toBe(expected);
  });
});

test("every secret that is held back says why", () => {
  const names: SecretName[] = ["POSTGRES_PASSWORD", "REDIS_PASSWORD", "STORAGE_ENCRYPTION_KEY"];
  expect(SECRET_NAMES.filter((name) => definitionOf(name).bound !== undefined)).toEqual(names);
});
