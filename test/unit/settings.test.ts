import { describe, expect, test } from "vitest";
import { parseEnvFile } from "../../infra/settings/env.ts";
import { loadDockerSettings, loadKubernetesSettings, loadSettings } from "../../infra/settings/load.ts";
import { SettingsError } from "../../infra/settings/problem.ts";
import { engineInput, fileInput } from "../../infra/settings/sources.ts";
import { dockerSettings, GOOD, kubernetesSettings, ZONE } from "./values.ts";

function errorOf(run: () => unknown): SettingsError {
  try {
    run();
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
  throw new Error("no SettingsError was thrown");
}

const problemsOf = (config: Record<string, unknown>, env = "") =>
  errorOf(() => dockerSettings(config, env)).problems.map(({ key, what }) => `${key} ${what}`);

describe("a single node", () => {
  test.each([
    ["selfhosted", "rejourney"],
    ["second.Site", "rejourney-second-site"],
  ])("of the stack %s has a project of its own, %s", (stack, projectName) => {
    const input = { stack, config: { target: "docker" }, env: parseEnvFile("") };
    expect(loadDockerSettings(input).projectName).toBe(projectName);
  });

  test("by default: plain HTTP on this machine, built-in S3", () => {
    expect(dockerSettings()).toMatchObject({
      projectName: "rejourney",
      httpPort: 8080,
      builtInStorage: true,
    });
    expect(dockerSettings().variables).toEqual({
      POSTGRES_USER: "rejourney",
      POSTGRES_DB: "rejourney",
      S3_ENDPOINT: "http://storage:7070",
      S3_PUBLIC_ENDPOINT: "http://s3.localhost:8080",
      S3_BUCKET: "rejourney",
      S3_REGION: "us-east-1",
      SELF_HOSTED_MODE: "true",
      PUBLIC_DASHBOARD_URL: "http://localhost:8080",
      PUBLIC_API_URL: "http://localhost:8080",
      PUBLIC_INGEST_URL: "http://localhost:8080",
      DASHBOARD_ORIGIN: "http://localhost:8080",
      SMTP_HOST: "",
      SMTP_PORT: "587",
      SMTP_USER: "",
      SMTP_FROM: "",
      SMTP_SECURE: "false",
      GITHUB_CLIENT_ID: "",
      TURNSTILE_SITE_KEY: "",
    });
  });

  test("with a domain: its hosts, and the ports of the web", () => {
    const settings = dockerSettings({ domain: "r.example.com", acmeEmail: "a@example.com" });
    expect([settings.httpPort, settings.httpsPort]).toEqual([80, 443]);
    expect(settings.variables).toMatchObject({
      PUBLIC_DASHBOARD_URL: "https://r.example.com",
      PUBLIC_API_URL: "https://api.r.example.com",
      PUBLIC_INGEST_URL: "https://ingest.r.example.com",
      S3_PUBLIC_ENDPOINT: "https://s3.r.example.com",
      DASHBOARD_ORIGIN: "https://r.example.com",
    });
  });

  test("takes an external S3 from .env, and then runs none", () => {
    const env =
      "S3_ENDPOINT=https://s3.example.com\nS3_BUCKET=mine\nS3_ACCESS_KEY_ID=AK\nS3_SECRET_ACCESS_KEY=SK-of-a-provider";
    const settings = dockerSettings({}, env);
    expect(settings.builtInStorage).toBe(false);
    expect(settings.secrets).toEqual({ S3_ACCESS_KEY_ID: "AK", S3_SECRET_ACCESS_KEY: "SK-of-a-provider" });
    expect(settings.variables).toMatchObject({
      S3_ENDPOINT: "https://s3.example.com",
      S3_PUBLIC_ENDPOINT: "https://s3.example.com",
      S3_BUCKET: "mine",
    });
  });

  test("takes .env before the stack's file", () => {
    const config = {
      JWT_SECRET: `${GOOD}-of-the-file`,
      variables: { SMTP_HOST: "file", SMTP_FROM: "file" },
      release: "1",
    };
    const settings = dockerSettings(config, `JWT_SECRET=${GOOD}\nSMTP_HOST=env\nREJOURNEY_RELEASE=1.4.0`);
    expect(settings.secrets).toEqual({ JWT_SECRET: GOOD });
    expect(settings.variables).toMatchObject({ SMTP_HOST: "env", SMTP_FROM: "file" });
    expect(settings.release).toBe("1.4.0");
  });
});

describe("problems", () => {
  test("that one brings along are not told", () => {
    const env =
      "S3_ENDPOINT=https://s3.example.com\nS3_ACCESS_KEY_ID=AK\nS3_SECRET_ACCESS_KEY=SK-of-a-provider\n";
    expect(problemsOf({ httpPort: 0, variables: { S3_BUCKET: "mine" } }, env)).toEqual([
      "rejourney:httpPort is not a port number (1 to 65535)",
    ]);
    expect(problemsOf({}, `${env}S3_BUCKET=Mine\n`)).toEqual([
      "S3_BUCKET is not a bucket name (3 to 63 of a-z, 0-9, dot and hyphen)",
    ]);
  });

  test("come all at once, each with its key, its fault and its fix, and no value", () => {
    const config = {
      domian: "x.example.com",
      domain: "no domain",
      httpPort: 99999,
      images: { api: "ghcr.io/x/api:latest" },
      services: { "ingest-worker": { memory: "lots" } },
    };
    const env = [
      "STORAGE_ENCRYPTION_KEY=",
      "JWT_SECRET=CHANGE_ME",
      "JWT_SIGNING_KEY=short",
      `INGEST_HMAC_SECRET=${"ab".repeat(32)}`,
      "JWT_SECRT=hidden-value",
      "SMTP_PASSWORD=hidden-value",
      "PUBLIC_API_URL=not a url",
      "S3_ENDPOINT=https://s3.example.com",
      "POSTGRES_USER=Robert'); --",
      "REJOURNEY_RELEASE=latest",
    ].join("\n");
    expect(errorOf(() => dockerSettings(config, env)).message).toBe(
      `17 problems in the settings; nothing was changed.
  JWT_SECRT is unknown (did you mean JWT_SECRET?).
    Fix: rename JWT_SECRT in line 5 of .env to JWT_SECRET, or remove it
  SMTP_PASSWORD is unknown (did you mean SMTP_PASS?).
    Fix: rename SMTP_PASSWORD in line 6 of .env to SMTP_PASS, or remove it
  REJOURNEY_RELEASE is \`latest\`, which changes; set an exact tag.
    Fix: correct line 10 of .env
  rejourney:images.api has the tag \`latest\`, which is not exact.
    Fix: correct it in Pulumi.selfhosted.yaml
  rejourney:domain is not a host name such as rejourney.example.com.
    Fix: correct it in Pulumi.selfhosted.yaml
  rejourney:httpPort is not a port number (1 to 65535).
    Fix: correct it in Pulumi.selfhosted.yaml
  rejourney:services.ingest-worker.memory is not a memory size such as 512M or 2G.
    Fix: correct it in Pulumi.selfhosted.yaml
  rejourney:domian is unknown (did you mean domain?).
    Fix: rename it to domain in Pulumi.selfhosted.yaml, or remove it
  JWT_SECRET is a placeholder.
    Fix: empty the value (.env line 2), then: npx rejourney secrets generate
  JWT_SIGNING_KEY is shorter than 32 bytes.
    Fix: empty the value (.env line 3), then: npx rejourney secrets generate
  INGEST_HMAC_SECRET is repetitive or sequential, so it can be guessed.
    Fix: empty the value (.env line 4), then: npx rejourney secrets generate
  STORAGE_ENCRYPTION_KEY is empty.
    Fix: put back the value in use; if there is no data yet: npx rejourney secrets generate
  POSTGRES_USER is not a plain PostgreSQL name (a-z, 0-9 and _).
    Fix: correct line 9 of .env, or remove it
  PUBLIC_API_URL is not a URL of the form https://host[:port].
    Fix: correct line 7 of .env, or remove it
  S3_BUCKET is missing; S3_ENDPOINT names an external S3.
    Fix: add S3_BUCKET to .env, or remove S3_ENDPOINT to use the built-in S3
  S3_ACCESS_KEY_ID is missing; S3_ENDPOINT names an external S3.
    Fix: add S3_ACCESS_KEY_ID to .env, or remove S3_ENDPOINT to use the built-in S3
  S3_SECRET_ACCESS_KEY is missing; S3_ENDPOINT names an external S3.
    Fix: add S3_SECRET_ACCESS_KEY to .env, or remove S3_ENDPOINT to use the built-in S3`,
    );
  });

  test.each([
    [{ domain: "r.example.com" }, "rejourney:acmeEmail is missing; Let's Encrypt needs it for a domain"],
    [{ acmeEmail: "me" }, "rejourney:acmeEmail is not an e-mail address"],
    [{ httpPort: "80 80" }, "rejourney:httpPort is not a port number (1 to 65535)"],
    [{ release: "a b" }, "rejourney:release is not a tag such as 1.4.0"],
    [{ release: 1.1 }, "rejourney:release is a number in YAML, which drops trailing zeros; put it in quotes"],
    [{ variables: { SMTP_PORT: 0 } }, "SMTP_PORT is not a port number (1 to 65535)"],
    [{ data: { postgres: { replicas: 2 } } }, "rejourney:data.postgres.replicas is unknown"],
    [{ target: "kubernetes" }, "rejourney:domain is missing"],
    [
      { images: { api: "x/api" } },
      "rejourney:images.api is not an image reference with an exact tag or a digest",
    ],
    [{ images: { app: "x/api:1" } }, "rejourney:images.app is unknown"],
    [{ services: { api: { cpus: 0 } } }, "rejourney:services.api.cpus is below 0.05 cores"],
    [{ services: { api: { replicas: 1.5 } } }, "rejourney:services.api.replicas is not a whole number"],
    [{ services: { "billing-worker": {} } }, "rejourney:services.billing-worker is unknown"],
    [{ variables: { JWT_SECRET: GOOD } }, "rejourney:variables.JWT_SECRET is secret"],
    [{ variables: { SMTP_HOTS: "x" } }, "rejourney:variables.SMTP_HOTS is unknown (did you mean SMTP_HOST?)"],
    [{ JWT_SECRET: { a: 1 } }, "JWT_SECRET is shorter than 32 bytes"],
    [{ target: "nomad" }, "rejourney:target must be docker or kubernetes"],
  ])("of the stack's file: %j", (config, problem) => {
    expect(problemsOf(config)).toEqual([problem]);
  });

  test.each([
    [
      "DASHBOARD_ORIGIN=https://r.example.com/path",
      "DASHBOARD_ORIGIN is not an origin: https://host[:port] and nothing after it",
    ],
    [
      "PUBLIC_API_URL=https://user:pass@r.example.com",
      "PUBLIC_API_URL is not a URL of the form https://host[:port]",
    ],
    ["S3_BUCKET=Upper", "S3_BUCKET is not a bucket name (3 to 63 of a-z, 0-9, dot and hyphen)"],
    ["SMTP_PORT=65536", "SMTP_PORT is not a port number (1 to 65535)"],
    ["SMTP_SECURE=yes", "SMTP_SECURE is not true or false"],
    ["SMTP_HOST=", "SMTP_HOST is empty"],
    ["A=b#c", ".env line 1 (A) has a # without quotes, at which the value would be cut"],
  ])("of .env: %s", (env, problem) => {
    expect(problemsOf({}, env)).toEqual([problem]);
  });
});

test("an unknown key of no resemblance is a warning", () => {
  expect(dockerSettings({}, "EDITOR_THEME=dark\nJWT_SECRET_OLD=x").warnings).toEqual([
    "EDITOR_THEME (.env line 1) is unknown and is not used.",
    "JWT_SECRET_OLD (.env line 2) is unknown and is not used.",
  ]);
});

test("a connection string in .env is for docker compose alone, and the warning says so", () => {
  expect(dockerSettings({}, "REDIS_URL=redis://:hidden@redis:6379/0").warnings).toEqual([
    "REDIS_URL (.env line 1) is only for docker compose --env-file; this program derives it from the password.",
  ]);
});

test("the engine's form of the settings means the same as the file's", () => {
  const input = engineInput("selfhosted", {
    "rejourney:target": "docker",
    "rejourney:httpPort": "8081",
    "rejourney:services": '{"api":{"memory":"1G","replicas":2}}',
    "rejourney:JWT_SECRET": `{${GOOD}`,
    "other:key": "x",
  });
  expect(loadSettings({ ...input, env: parseEnvFile(""), taken: undefined })).toEqual(
    dockerSettings({
      httpPort: 8081,
      services: { api: { memory: "1G", replicas: 2 } },
      JWT_SECRET: `{${GOOD}`,
    }),
  );
});

test("the committed stacks are in order", () => {
  for (const stack of ["selfhosted", "prod"])
    expect(loadSettings({ ...fileInput(stack), env: parseEnvFile("") }).warnings, stack).toEqual([]);
});

describe("a cluster", () => {
  test("has no built-in S3: the table storage_endpoints says which buckets there are", () => {
    const { variables } = kubernetesSettings();
    expect(variables).toMatchObject({
      S3_ENDPOINT: "",
      S3_PUBLIC_ENDPOINT: "",
      S3_BUCKET: "",
      S3_REGION: "",
      SELF_HOSTED_MODE: "false",
      PUBLIC_API_URL: "https://api.r.example.com",
    });
    const problems = errorOf(() => kubernetesSettings({}, "S3_ENDPOINT=https://s3.example.com")).problems;
    expect(problems.map(({ key }) => key)).toEqual(["S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]);
    expect(problems[0]!.fix).toBe(
      "add S3_BUCKET to .env, or remove S3_ENDPOINT to use only the table storage_endpoints",
    );
  });

  test("takes the images of its release, and single ones from elsewhere", () => {
    const image = `mirror.example.com/redis@sha256:${GOOD}`;
    expect(kubernetesSettings({ images: { redis: image } }).images).toMatchObject({
      api: "ghcr.io/rejourneyco/rejourney/api:1.4.0",
      migration: "ghcr.io/rejourneyco/rejourney/migration:1.4.0",
      postgres: "postgres:18.6",
      redis: image,
    });
    const own = { api: "a/api:1", web: "a/web:1", migration: "a/migration:1" };
    expect(kubernetesSettings({ release: undefined, images: own }).images).toMatchObject(own);
  });

  test("by its engine's form means the same as by its file", () => {
    const input = engineInput("prod", {
      "rejourney:target": "kubernetes",
      "rejourney:domain": "r.example.com",
      "rejourney:release": "1.4.0",
      "rejourney:acmeEmail": "a@example.com",
      "rejourney:www": "true",
      "rejourney:cloudflare": '{"proxied":false}',
      "rejourney:traefikDashboard": "{}",
      "rejourney:external": '{"redis":{"host":"10.0.0.7","tls":false}}',
      "rejourney:data": '{"postgres":{"storage":"80G","cpus":3}}',
    });
    const settings = kubernetesSettings({
      www: true,
      cloudflare: { proxied: false },
      traefikDashboard: {},
      external: { redis: { host: "10.0.0.7", tls: false } },
      data: { postgres: { storage: "80G", cpus: 3 } },
    });
    expect(loadSettings({ ...input, env: parseEnvFile("") })).toEqual(settings);
    expect(settings.addresses.redis).toEqual({ host: "10.0.0.7", port: 6379, tls: false });
    expect(settings.data.postgres).toEqual({ storage: 80, cpus: 3 });
    expect(settings).toMatchObject({ www: true, tls: "cert-manager", traefikDashboard: { user: "admin" } });
  });

  test.each([
    [{ release: undefined }, "rejourney:release is missing"],
    [{ release: undefined, images: { api: "a/api:1", web: "a/web:1" } }, "rejourney:release is missing"],
    [{ images: { traefik: "traefik:v3.5.4" } }, "rejourney:images.traefik is unknown"],
    [{ httpPort: 80 }, "rejourney:httpPort is unknown"],
    [
      { services: { "ingest-worker": { replicas: 4, maxReplicas: 2 } } },
      "rejourney:services.ingest-worker.maxReplicas is below replicas",
    ],
    [
      { services: { "alert-worker": { replicas: 0, maxReplicas: 2 } } },
      "rejourney:services.alert-worker.maxReplicas has no effect beside replicas: 0",
    ],
    [
      { data: { postgres: { storage: "500M" } } },
      "rejourney:data.postgres.storage is not a size in gigabytes such as 20G",
    ],
    [{ data: { storage: { memory: "1G" } } }, "rejourney:data.storage is unknown"],
    [
      { data: { redis: { memory: "1G" } }, external: { redis: { host: "10.0.0.7" } } },
      "rejourney:data.redis has no effect beside external.redis",
    ],
    [
      { external: { postgres: { host: "https://db.example.com" } } },
      "rejourney:external.postgres.host is not a host name or an address",
    ],
    [{ external: { postgres: {} } }, "rejourney:external.postgres.host is missing"],
    [{ registry: { host: "ghcr.io" } }, "rejourney:registry.user is missing"],
    [
      { registry: { host: "https://ghcr.io", user: "a" } },
      "rejourney:registry.host is not a host name, with a port or without",
    ],
    [{ storageClass: "Fast SSD" }, "rejourney:storageClass is not the name of a StorageClass"],
    [
      { acmeEmail: undefined },
      "rejourney:acmeEmail is missing; Let's Encrypt needs it, unless rejourney:tls names another certificate",
    ],
    [{ tls: { secret: "My Secret" } }, "rejourney:tls.secret is not the name of a Secret"],
    ...["letsencrypt", {}].map((tls): [Record<string, unknown>, string] => [
      { tls },
      "rejourney:tls is none of cert-manager, cloudflare-origin and { secret: NAME }",
    ]),
    ...[undefined, { proxied: false }].map((cloudflare): [Record<string, unknown>, string] => [
      { tls: "cloudflare-origin", cloudflare },
      "rejourney:tls is cloudflare-origin, which Cloudflare alone trusts, without cloudflare: { proxied: true }",
    ]),
    [
      { clusterRanges: ["10.42.0.0"] },
      "rejourney:clusterRanges.0 is not a range of IPv4 addresses such as 10.42.0.0/16",
    ],
    [{ www: "yes" }, "rejourney:www is neither true nor false"],
    [
      { cloudflare: { zoneId: ZONE } },
      "rejourney:cloudflare.addresses is missing beside the other of the two",
    ],
    [
      { cloudflare: { addresses: ["203.0.113.10"] } },
      "rejourney:cloudflare.zoneId is missing beside the other of the two",
    ],
    [
      { cloudflare: { zoneId: ZONE, addresses: ["r.example.com"] } },
      "rejourney:cloudflare.addresses.0 is not an IP address",
    ],
    [
      { cloudflare: { zoneId: ZONE, addresses: ["2001:db8::1", "2001:0DB8:0::1"] } },
      "rejourney:cloudflare.addresses has an address twice",
    ],
    [
      { cloudflare: { zoneId: "example.com", addresses: ["203.0.113.10"] } },
      "rejourney:cloudflare.zoneId is not a zone's ID (32 hex digits, on its overview page)",
    ],
    [{ limits: { s3: { rate: 5 } } }, "rejourney:limits.s3 is unknown"],
    [{ limits: { web: { body: "4M" } } }, "rejourney:limits.web.body is unknown"],
    [{ limits: { api: { rate: 0 } } }, "rejourney:limits.api.rate is below 1"],
    [
      { limits: { api: { body: "16" } } },
      "rejourney:limits.api.body is not a memory size such as 512M or 2G",
    ],
    [
      { traefikDashboard: { user: "a:b" } },
      "rejourney:traefikDashboard.user is not a plain name (letters, digits, dot, hyphen and _)",
    ],
  ])("is refused with %j", (config, problem) => {
    const { problems } = errorOf(() => kubernetesSettings(config));
    expect(problems.map(({ key, what }) => `${key} ${what}`)).toEqual([problem]);
  });

  test("is not a single node, nor the reverse", () => {
    const input = { ...fileInput("prod"), env: parseEnvFile("") };
    expect(errorOf(() => loadDockerSettings(input)).message).toContain("rejourney:target is not docker.");
    const other = { ...fileInput("selfhosted"), env: parseEnvFile("") };
    expect(errorOf(() => loadKubernetesSettings(other)).message).toContain(
      "rejourney:target is not kubernetes.",
    );
  });
});

test("a stack that there is not is told of", () => {
  expect(errorOf(() => fileInput("nowhere")).problems).toEqual([
    { key: "Pulumi.nowhere.yaml", what: "does not exist", fix: "name an existing stack with --stack" },
  ]);
});
