import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Deployment, V1Secret } from "@kubernetes/client-node";
import bcrypt from "bcryptjs";
import { parse } from "dotenv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, type Ran, TestProject } from "../project.ts";
import { found, watchCommandLines } from "../search.ts";
import { pem } from "../unit/certificate.ts";
import { GOOD, OTHER } from "../unit/values.ts";
import { ApiServer } from "./api-server.ts";
import { StandInNode } from "./node.ts";
import { RENDERED } from "./rendered.ts";

// The secrets of a cluster, from `.env` to the Secrets of a real API server and back, in order. No container runs.

const SETTINGS = `config:
  rejourney:target: kubernetes
  rejourney:release: "1.4.0"
  rejourney:domain: rejourney.example.com
  rejourney:tls: cloudflare-origin
  rejourney:cloudflare: { proxied: true }
  rejourney:registry: { host: registry.example.com, user: reader }
  rejourney:traefikDashboard: { user: ops }
`;
const STORAGE_NODE = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1", labels: { "rejourney.co/storage-node": "true" } },
};

/** What `.env` gives, as lines; the values are those that {@link WANTED} has. */
const ENV = String.raw`# Settings of production
REJOURNEY_RELEASE=1.4.0

JWT_SECRET=${GOOD}
JWT_SIGNING_KEY="a key with spaces, $(touch PWNED) and 'quotes'"
  export INGEST_HMAC_SECRET = 'for #uploads, \${HOME} and "quotes" alike'

# The keys of the bucket
S3_ENDPOINT=https://s3.example.com
S3_PUBLIC_ENDPOINT='https://recordings.example.com'
S3_BUCKET=recordings   # in Frankfurt
S3_REGION=eu-central-1
S3_ACCESS_KEY_ID=AKIA0123456789EXAMPLE
S3_SECRET_ACCESS_KEY='wJalr/XUtn#FEMI+K7MDENG=='

SMTP_HOST=mx.example.com
SMTP_PORT=465
SMTP_SECURE=true
SMTP_USER=no-reply@example.com
SMTP_PASS="p#ss 'word' \$HOME"
SMTP_FROM='"Rejourney, Zürich" <no-reply@example.com>'

GITHUB_CLIENT_ID=Iv1.0123456789abcdef
GITHUB_CLIENT_SECRET='"sæcret" \`touch PWNED\`'
STRIPE_SECRET_KEY=${"`"}it's "both" # and a $(touch PWNED)${"`"}
STRIPE_WEBHOOK_SECRET=日本語-Ünïcödé-🔑
TURNSTILE_SITE_KEY=0x4AAAAAAA
TURNSTILE_SECRET_KEY=spaces  inside and a=b

PUBLIC_DASHBOARD_URL=https://rejourney.example.com
PUBLIC_API_URL=https://api.rejourney.example.com
PUBLIC_INGEST_URL=https://ingest.rejourney.example.com
DASHBOARD_ORIGIN=https://rejourney.example.com
SELF_HOSTED_MODE=false
CLOUDFLARE_API_TOKEN=a-token-of-cloudflare
`.replaceAll("\\`", "`");

let server: ApiServer;
let node: StandInNode;
let project: TestProject;
let kubeconfig: string;
/** What `.env` gives on the first run. */
let first: string;
/** What it gives after that: {@link ENV}, with a certificate and its key. */
let full: string;
/** Secret values that were in use at some time. */
const planted: Record<string, string> = {};

beforeAll(async () => {
  const { certificate, key } = await pem("rejourney.example.com", { others: ["*.rejourney.example.com"] });
  const pair = `ORIGIN_CERTIFICATE='${certificate.trim()}'\nORIGIN_PRIVATE_KEY="${key.trim()}"\n`;
  const others = "REGISTRY_TOKEN=t#ken\nTRAEFIK_DASHBOARD_PASSWORD='pa$$ wörd of ops'\n".replace(
    "t#ken",
    "'t#ken=='",
  );
  first = `SMTP_PASS=the-first-mail-password\nTRAEFIK_DASHBOARD_PASSWORD=the-first-password\nREGISTRY_TOKEN=the-first-token\n${pair}`;
  full = ENV + others + pair;
  server = await ApiServer.start({ controllers: true });
  node = new StandInNode(server.api());
  await server.apply([STORAGE_NODE]);
  project = new TestProject();
  mkdirSync(project.path("tmp"));
  project.stack = "prod";
  writeFileSync(project.path("Pulumi.prod.yaml"), SETTINGS);
  kubeconfig = server.kubeconfig();
  write(first);
  await done(["up", "--yes"]);
}, 120_000);
afterAll(async () => {
  await node.stop();
  await server.remove();
  project.remove();
});

function write(env: string): void {
  writeFileSync(project.path(".env"), env, { mode: 0o600 });
  for (const [name, value] of Object.entries(parse(env)))
    if (/SECRET|PASS|KEY|TOKEN|FROM/.test(name) && !/CLIENT_ID|SITE_KEY/.test(name))
      planted[`${name} ${value.length}`] = value;
}

/** The cluster, and a folder of its own for whatever is written beside the project. */
function surroundings() {
  return { KUBECONFIG: kubeconfig, TMPDIR: project.path("tmp") };
}

function prod(args: readonly string[]): Promise<Ran> {
  return project.rejourney([...args, "--stack", "prod"], surroundings());
}

/** The same, which has to work: its standard output. */
async function done(args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await prod(args);
  expect(status, `${args.join(" ")}:\n${stdout}${stderr.split("\n").slice(-12).join("\n")}`).toBe(0);
  return stdout;
}

interface Result {
  secrets: Record<"added" | "changed" | "removed" | "drifted" | "kept" | "restarts", string[]>;
  others: { op: string; resource: string }[];
}

async function synced(...flags: string[]): Promise<Result> {
  return JSON.parse(await done(["secrets", "sync", "--json", ...flags])) as Result;
}

/** The Secrets of the deployment, by `namespace/name`. */
async function secrets(from = server): Promise<Map<string, V1Secret>> {
  const { items } = await from.get<{ items: V1Secret[] }>("secrets", "--all-namespaces");
  return new Map(items.map((secret) => [`${secret.metadata!.namespace}/${secret.metadata!.name}`, secret]));
}

/** What they hold, in the clear. */
async function contents(from = server): Promise<Record<string, Record<string, string>>> {
  const plain = ({ data = {} }: V1Secret) =>
    Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()]),
    );
  return Object.fromEntries([...(await secrets(from))].map(([name, secret]) => [name, plain(secret)]));
}

/** The hash of what its pods read, by workload. */
async function hashes(): Promise<Record<string, string>> {
  const kinds = "deployments,statefulsets";
  const { items } = await server.get<{ items: V1Deployment[] }>(kinds, "--namespace=rejourney");
  const entries = items.map(({ metadata, spec }) => [
    metadata!.name,
    spec!.template.metadata!.annotations!["rejourney.co/secrets-hash"],
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

describe("a sync", () => {
  test("that is dry shows names alone, and changes nothing", async () => {
    const [before, inUse] = [await contents(), await project.secrets()];
    write(full);
    const script = project.path("scripts/k8s/k8s-sync-secrets.sh");
    const { status, stdout, stderr } = await project.run(
      script,
      ["prod", ".env", "--dry-run"],
      surroundings(),
    );
    expect(status, stderr).toBe(0);
    expect(stdout).toContain("\n~ rejourney/smtp-secret/SMTP_PASS\n");
    expect(stdout).toContain("\n~ kube-system/traefik-dashboard-auth-secret/users\n");
    expect(stdout).toContain("+ rejourney/stripe-secret/STRIPE_SECRET_KEY\n");
    expect(stdout).toContain("+ CLOUDFLARE_API_TOKEN\n");
    expect(stdout).toContain("Restarts: api, ");
    expect(stdout).not.toContain("Other changes:");
    expect(await contents()).toEqual(before);
    expect(await project.secrets()).toEqual(inUse);
  });

  test("of the script, killed in the middle and run again, lands each value byte for byte, in place, with no shell having seen it", async () => {
    const before = await secrets();
    const watch = watchCommandLines();
    const script = project.path("scripts/k8s/k8s-sync-secrets.sh");
    const killed = project.start(["secrets", "sync", "--stack", "prod"], surroundings());
    const end = ended(killed);
    while ((await contents())["rejourney/smtp-secret"]!.SMTP_PORT !== "465") {
      if (killed.exitCode !== null) throw new Error((await end).stderr);
      await sleep(100);
    }
    process.kill(-killed.pid!, "SIGKILL");
    await end;
    const ran = await project.run(script, ["prod", ".env"], surroundings());
    const commandLines = watch.end();
    expect(ran.status, ran.stderr).toBe(0);
    expect(found(planted, [["command lines", commandLines]])).toEqual([]);
    expect(project.exists("PWNED")).toBe(false);

    const given = parse(full);
    const made = await project.secrets();
    const of = (...names: string[]) =>
      Object.fromEntries(names.map((name) => [name, given[name] ?? made[name]]));
    const now = await contents();
    const url = `rejourney:${made.POSTGRES_PASSWORD}@postgres:5432/rejourney`;
    expect(now).toMatchObject({
      "rejourney/app-secret": of(
        ...[
          "JWT_SECRET",
          "JWT_SIGNING_KEY",
          "INGEST_HMAC_SECRET",
          "STORAGE_ENCRYPTION_KEY",
          "SELF_HOSTED_MODE",
        ],
        ...["PUBLIC_DASHBOARD_URL", "PUBLIC_API_URL", "PUBLIC_INGEST_URL", "DASHBOARD_ORIGIN"],
      ),
      "rejourney/postgres-secret": { ...of("POSTGRES_PASSWORD"), DATABASE_URL: `postgresql://${url}` },
      "rejourney/redis-secret": of("REDIS_PASSWORD"),
      "rejourney/s3-secret": of(
        ...["S3_ENDPOINT", "S3_PUBLIC_ENDPOINT", "S3_BUCKET", "S3_REGION"],
        ...["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"],
      ),
      "rejourney/smtp-secret": of(
        ...["SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASS", "SMTP_FROM", "SMTP_SECURE"],
      ),
      "rejourney/oauth-secret": of("GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"),
      "rejourney/stripe-secret": of("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"),
      "rejourney/turnstile-secret": of("TURNSTILE_SITE_KEY", "TURNSTILE_SECRET_KEY"),
      "rejourney/cloudflare-origin-tls": {
        "tls.crt": given.ORIGIN_CERTIFICATE,
        "tls.key": given.ORIGIN_PRIVATE_KEY,
      },
    });
    const pull = JSON.parse(now["rejourney/ghcr-secret"]![".dockerconfigjson"]!) as object;
    const auth = Buffer.from("reader:t#ken==").toString("base64");
    expect(pull).toEqual({ auths: { "registry.example.com": { auth } } });
    expect(now["kube-system/traefik-dashboard-auth-secret"]!.users).toMatch(/^ops:\$2b\$10\$.{53}\n$/);
    expect(given.STRIPE_SECRET_KEY).toBe(`it's "both" # and a $(touch PWNED)`);

    const uids = (all: Map<string, V1Secret>) =>
      [...all].map(([name, { metadata }]) => [name, metadata!.uid]);
    expect(uids(await secrets())).toEqual(uids(before));
  });

  test("a second time changes nothing", async () => {
    const versions = async () =>
      [...(await secrets())].map(([name, { metadata }]) => [name, metadata!.resourceVersion]);
    const before = await versions();
    // One of them stands encrypted in the settings now, with the same value.
    const { SMTP_PASS: password } = parse(full);
    write(full.replace(/^SMTP_PASS=.*\n/m, ""));
    const config = (...args: string[]) => project.pulumi("config", ...args, "--stack", "prod");
    expect(await config("set", "--secret", "rejourney:SMTP_PASS", password!)).toMatchObject({ status: 0 });
    const stdout = await done(["secrets", "sync"]);
    expect(await config("rm", "rejourney:SMTP_PASS")).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^0 changed, \d+ unchanged\n$/);
    expect(await versions()).toEqual(before);
  });

  test("of a value that data depends on is refused, and says why", async () => {
    const before = await contents();
    write(
      `${full}POSTGRES_PASSWORD=of-another-database\nREDIS_PASSWORD=of-another-deployment\nSTORAGE_ENCRYPTION_KEY=${OTHER}\n`,
    );
    const { status, stderr } = await prod(["secrets", "sync"]);
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toContain("3 problems in the settings; nothing was changed.");
    for (const why of [
      "POSTGRES_PASSWORD is not the value in use and cannot change alone: the database keeps the password that it was created with.",
      "REDIS_PASSWORD is not the value in use and cannot change alone: Redis and its clients restart one by one",
      "STORAGE_ENCRYPTION_KEY is not the value in use and cannot change alone: it encrypts the keys in the table storage_endpoints.",
    ])
      expect(stderr).toContain(why);
    expect(await contents()).toEqual(before);
    write(`${full}POSTGRES_DB=another\n`);
    const renamed = await prod(["secrets", "sync"]);
    expect(renamed).toMatchObject({ status: 1, stdout: "" });
    expect(renamed.stderr).toContain(
      "POSTGRES_DB cannot change once the database exists; it was created with rejourney; nothing was changed.",
    );
  });

  test.each([
    ["JWT_SECRET", /^JWT_SECRET=.*$/m, "JWT_SECRET=too-short", "JWT_SECRET is shorter than 32 bytes"],
    ["a line", /^S3_REGION=.*$/m, "S3_REGION", ".env line 12 is not of the form KEY=value"],
  ])("with a bad %s is refused before anything, as is up", async (_, pattern, line, told) => {
    write(full.replace(pattern, line));
    for (const verb of [
      ["secrets", "sync"],
      ["up", "--yes"],
    ]) {
      const { status, stderr } = await prod(verb);
      expect({ status, stderr }).toMatchObject({ status: 1 });
      expect(stderr).toContain(told);
    }
  });

  test("does not take along unasked what else the settings change", async () => {
    const before = await contents();
    write(full.replace("SMTP_PORT=465", "SMTP_PORT=587").replace("RELEASE=1.4.0", "RELEASE=1.5.0"));
    const { status, stdout, stderr } = await prod(["secrets", "sync"]);
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stdout).toMatch(/^~ rejourney\/smtp-secret\/SMTP_PORT$/m);
    expect(stdout).toMatch(/^Other changes:\n[^]*^~ rejourney-api-deployment$/m);
    expect(stderr).toMatch(/The settings also change .*rejourney-api-deployment.*; nothing was changed\./);
    expect(await contents()).toEqual(before);
  });
});

describe("what is not in .env any more", () => {
  test("is kept unless it is asked for, and its removal restarts its readers alone", async () => {
    write(full.replace(/^(SMTP_PASS|STRIPE_WEBHOOK_SECRET)=.*\n/gm, ""));
    const before = await hashes();
    const now = await contents();
    // Somebody has changed one Secret by hand, and deleted another.
    const other = { data: { GITHUB_CLIENT_SECRET: Buffer.from("of-somebody-else").toString("base64") } };
    const kubectl = (...args: string[]) => server.kubectl([...args, "--namespace=rejourney"]);
    await kubectl("patch", "secret", "oauth-secret", "--type=merge", `--patch=${JSON.stringify(other)}`);
    await kubectl("delete", "secret", "turnstile-secret");
    const dry = await synced("--dry-run");
    const changes = {
      drifted: [
        "rejourney/oauth-secret/GITHUB_CLIENT_SECRET",
        "rejourney/turnstile-secret/TURNSTILE_SECRET_KEY",
        "rejourney/turnstile-secret/TURNSTILE_SITE_KEY",
      ],
      ...{ added: [], changed: [] },
    };
    expect(dry).toMatchObject({
      secrets: { ...changes, removed: [], restarts: [], kept: ["SMTP_PASS", "STRIPE_WEBHOOK_SECRET"] },
      others: [],
    });
    const { secrets: plan } = await synced("--prune");
    expect(plan).toMatchObject({
      ...changes,
      removed: ["rejourney/smtp-secret/SMTP_PASS", "rejourney/stripe-secret/STRIPE_WEBHOOK_SECRET"],
      restarts: ["api", "billing-worker", "alert-worker"],
    });
    delete now["rejourney/smtp-secret"]!.SMTP_PASS;
    delete now["rejourney/stripe-secret"]!.STRIPE_WEBHOOK_SECRET;
    expect(await contents()).toEqual(now);
    const changed = Object.entries(await hashes()).filter(([name, hash]) => before[name] !== hash);
    expect(changed.map(([name]) => name).sort()).toEqual([...plan.restarts].sort());
  });
});

describe("a rotation", () => {
  test("of the password of Traefik's dashboard reaches its Secret and .env, and restarts nothing", async () => {
    const [before, now] = [await hashes(), await contents()];
    const [password, place] = ["another pässwörd #2", "kube-system/traefik-dashboard-auth-secret"];
    planted["TRAEFIK_DASHBOARD_PASSWORD (new)"] = password;
    const rotate = "cli/rejourney.mjs secrets rotate TRAEFIK_DASHBOARD_PASSWORD --stack prod --yes";
    const env = { ...surroundings(), NEW: password };
    const ran = await project.run("/bin/sh", ["-c", `printf '%s\\n' "$NEW" | ${rotate}`], env);
    expect(ran.status, ran.stderr).toBe(0);
    expect(ran.stdout).toContain("\nRestarts: nothing\n");
    const { [place]: users, ...others } = await contents();
    expect(await bcrypt.compare(password, users!.users!.trim().replace("ops:", ""))).toBe(true);
    expect(users).not.toEqual(now[place]);
    expect({ ...others, [place]: now[place] }).toEqual(now);
    expect(await hashes()).toEqual(before);
    expect(parse(project.read(".env")).TRAEFIK_DASHBOARD_PASSWORD).toBe(password);
  });
});

describe("an export", () => {
  test("gives .env back, for its owner alone, and only where that is wanted", async () => {
    const asked = await prod(["secrets", "export", "--env-file", project.path("in-use.env")]);
    expect(asked).toMatchObject({ status: 1, stdout: "" });
    expect(asked.stderr).toBe("Nothing was written. To skip the prompt, add --yes to the same command\n");
    const there = await prod(["secrets", "export", "--yes"]);
    expect(there).toMatchObject({ status: 1 });
    expect(there.stderr).toContain(".env already exists; nothing was changed.");
    expect(await done(["secrets", "export", "--yes", "--env-file", project.path("in-use.env")])).toMatch(
      /^Wrote \d+ values to .*in-use\.env, readable only by its owner\.\n$/,
    );
    expect(statSync(project.path("in-use.env")).mode & 0o777).toBe(0o600);
    const inUse = Object.entries(await project.secrets()).filter(([, value]) => value !== "");
    expect(parse(project.read("in-use.env"))).toEqual({
      ...parse(project.read(".env")),
      ...Object.fromEntries(inUse),
    });
  });
});

describe("no value", () => {
  test("is in a file but .env, be it for a moment only that a kill made last, or in anything that was printed", () => {
    expect(Object.keys(planted).length).toBeGreaterThanOrEqual(12);
    const files = [...project.files(".")].filter(([path]) => !/node_modules|\.env$/.test(path));
    expect(found(planted, [...files, ["output", project.printed]])).toEqual([]);
  });
});

describe("a cluster that no stack manages", () => {
  test("gets its Secrets by --direct, and those that a stack manages stay its own", async () => {
    write(project.read("in-use.env"));
    const managed = await prod(["secrets", "sync", "--direct"]);
    expect(managed).toMatchObject({ status: 1 });
    expect(managed.stderr).toContain(
      "belongs to a stack, and --direct would bypass its state; nothing was changed.",
    );
    const other = await ApiServer.start({ controllers: false });
    try {
      const direct = (...flags: string[]) =>
        project.rejourney(["secrets", "sync", "--stack", "prod", "--direct", ...flags], {
          ...surroundings(),
          KUBECONFIG: other.kubeconfig(),
        });
      const early = await direct();
      expect(early).toMatchObject({ status: 1 });
      expect(early.stderr).toContain("Fix: kubectl apply -f k8s/00-namespace.yml");
      await other.kubectl(["apply", `--filename=${RENDERED}`]);
      expect((await direct("--dry-run")).stdout).toMatch(/^\d+ added, 0 unchanged$/m);
      const wanted = await contents();
      const made = await direct();
      expect(made, made.stderr).toMatchObject({ status: 0 });
      const { "kube-system/traefik-dashboard-auth-secret": users, ...others } = await contents(other);
      expect(users!.users).toMatch(/^ops:\$2b\$10\$.{53}\n$/);
      expect({
        ...others,
        "kube-system/traefik-dashboard-auth-secret": expect.anything() as unknown,
      }).toEqual(
        Object.fromEntries(Object.entries(wanted).filter(([, data]) => Object.keys(data).length > 0)),
      );
      expect((await direct()).stdout).toMatch(/^0 changed, \d+ unchanged$/m);
      write(
        `${project
          .read(".env")
          .replace("SMTP_PORT=465", "SMTP_PORT=2525")
          .replace(/^GITHUB_CLIENT_ID=.*\n/m, "")}`,
      );
      const changed = await direct("--json");
      expect(JSON.parse(changed.stdout)).toMatchObject({
        secrets: {
          changed: ["rejourney/smtp-secret/SMTP_PORT"],
          kept: ["rejourney/oauth-secret/GITHUB_CLIENT_ID"],
          restarts: ["api", "alert-worker"],
        },
      });
      const pruned = await direct("--prune");
      expect(pruned.stdout).toMatch(
        /^- rejourney\/oauth-secret\/GITHUB_CLIENT_ID\n1 removed, \d+ unchanged\nRestarts: api\n$/,
      );
      expect(Object.keys((await contents(other))["rejourney/oauth-secret"]!)).toEqual([
        "GITHUB_CLIENT_SECRET",
      ]);
      write(project.read(".env").replace(/^POSTGRES_PASSWORD=.*$/m, "POSTGRES_PASSWORD=of-another-database"));
      const refused = await direct();
      expect(refused).toMatchObject({ status: 1 });
      expect(refused.stderr).toContain("POSTGRES_PASSWORD is not the value in use and cannot change alone");
    } finally {
      await other.remove();
    }
  });
});
