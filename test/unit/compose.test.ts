import { describe, expect, test } from "vitest";
import { SERVICES, type Service } from "../../infra/app/catalogue.ts";
import { DATA_IMAGES } from "../../infra/app/images.ts";
import type { ComposeProject, ComposeService } from "../../infra/compose/compose-spec.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { routes } from "../../infra/compose/routes.ts";
import { yamlText } from "../../infra/yaml.ts";
import { dockerSettings, GOOD } from "./values.ts";

const DOMAIN = { domain: "r.example.com", acmeEmail: "a@example.com" };
const EXTERNAL_S3 =
  "S3_ENDPOINT=https://s3.example.com\nS3_BUCKET=mine\nS3_ACCESS_KEY_ID=AK-x\nS3_SECRET_ACCESS_KEY=SK-x-of-a-provider";

function project(config: Record<string, unknown> = {}, env = ""): ComposeProject {
  const settings = dockerSettings({ release: "1.4.0", ...config }, env);
  return composeProject(settings);
}

const every = ({ services }: ComposeProject): [string, ComposeService][] => Object.entries(services);

describe("the project", () => {
  test("has these services, in this order, from exact images", () => {
    const app = "ghcr.io/rejourneyco/rejourney";
    expect(every(project()).map(([name, { image }]) => [name, image])).toEqual([
      ["traefik", DATA_IMAGES.traefik],
      ["api", `${app}/api:1.4.0`],
      ["web", `${app}/web:1.4.0`],
      ["ingest-worker", `${app}/api:1.4.0`],
      ["alert-worker", `${app}/api:1.4.0`],
      ["retention-worker", `${app}/api:1.4.0`],
      ["migrate", `${app}/migration:1.4.0`],
      ["postgres", DATA_IMAGES.postgres],
      ["redis", DATA_IMAGES.redis],
      ["storage", DATA_IMAGES.storage],
      ["prepare-volumes", DATA_IMAGES.traefik],
    ]);
    for (const image of Object.values(DATA_IMAGES)) expect(image).toMatch(/:v?\d+\.\d+(\.\d+)?$/);
  });

  test("takes single images by digest", () => {
    const api = `registry.example.com/api@sha256:${GOOD}`;
    const { services } = project({ images: { api } });
    expect(services["ingest-worker"]!.image).toBe(api);
    expect(services.web!.image).toBe("ghcr.io/rejourneyco/rejourney/web:1.4.0");
  });

  test.each([
    ["for a try", {}],
    ["with a domain", DOMAIN],
  ])("confines every container, %s", (_, config) => {
    for (const [name, service] of every(project(config))) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ["ALL"],
        security_opt: ["no-new-privileges=true"],
        pids_limit: 512,
        logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
      });
      expect(service.mem_limit, name).toMatch(/^\d+m$/);
      expect(service.tmpfs[0], name).toMatch(/^\/tmp:size=\d+m,mode=1777$/);
      expect(service.restart === "no" || service.healthcheck !== undefined, name).toBe(true);
      // Only the one-shot that hands volumes over is root, and it has no network.
      const root = name === "prepare-volumes";
      expect(service.user.startsWith("0"), name).toBe(root);
      expect(service.cap_add, name).toEqual(root ? ["CHOWN", "DAC_OVERRIDE"] : undefined);
      expect(service.network_mode, name).toBe(root ? "none" : undefined);
    }
  });

  test("publishes Traefik alone: on this machine for a try, to the world with a domain", () => {
    const published = (config: Record<string, unknown>) =>
      every(project(config)).flatMap(([name, { ports }]) => (ports ? [[name, ports]] : []));
    expect(published({})).toEqual([["traefik", ["127.0.0.1:8080:8000"]]]);
    expect(published(DOMAIN)).toEqual([["traefik", ["80:8000", "443:8443"]]]);
    expect(published({ ...DOMAIN, httpPort: 8000, httpsPort: 8443 })).toEqual([
      ["traefik", ["8000:8000", "8443:8443"]],
    ]);
  });

  test("lets only those reach a data service who need it", () => {
    const { services, networks } = project();
    const members = (network: string) =>
      Object.keys(services).filter((name) => services[name]!.networks?.includes(network));
    const readers = ["api", "ingest-worker", "alert-worker", "retention-worker"];
    expect(Object.fromEntries(Object.keys(networks).map((name) => [name, members(name)]))).toEqual({
      edge: ["traefik", "api", "web", "storage"],
      egress: ["ingest-worker", "alert-worker", "retention-worker"],
      postgres: [...readers, "migrate", "postgres"],
      redis: [...readers, "redis"],
      storage: [...readers, "storage"],
    });
    const closed = Object.keys(networks).filter((name) => networks[name]!.internal);
    expect(closed).toEqual(["postgres", "redis", "storage"]);
  });

  test("migrates before what needs the database, and starts after the data services", () => {
    const { services } = project();
    expect(services["alert-worker"]!.depends_on).toEqual({
      postgres: { condition: "service_healthy" },
      redis: { condition: "service_healthy" },
      storage: { condition: "service_healthy" },
      migrate: { condition: "service_completed_successfully" },
    });
    expect(services.migrate).toMatchObject({
      command: ["drizzle-kit", "migrate"],
      restart: "no",
      depends_on: { postgres: { condition: "service_healthy" } },
    });
    expect(services.web).not.toHaveProperty("depends_on");
  });

  test("has no S3 server where an external one is given", () => {
    const { services, networks, volumes } = project({}, EXTERNAL_S3);
    expect(Object.keys(services)).not.toContain("storage");
    expect(Object.keys(services)).not.toContain("prepare-volumes");
    expect(Object.keys(networks)).toEqual(["edge", "egress", "postgres", "redis"]);
    expect(Object.keys(volumes)).toEqual(["postgres-data", "redis-data"]);
    expect(services.api!.environment!.S3_ENDPOINT).toBe("${S3_ENDPOINT:-https://s3.example.com}");
    expect(services.api!.depends_on).not.toHaveProperty("storage");
  });

  test("holds no secret, whatever the sources give", () => {
    const text = yamlText(project({}, `${EXTERNAL_S3}\nJWT_SECRET=${GOOD}\nSMTP_PASS=mail-x`));
    for (const value of [GOOD, "AK-x", "SK-x-of-a-provider", "mail-x"]) expect(text).not.toContain(value);
    expect(text).toContain("${JWT_SECRET:?is missing, run: npx rejourney secrets generate}");
    expect(text).toContain("${SMTP_PASS:-}");
  });

  test("gives a service the secrets that it reads, and no other", () => {
    const { services } = project();
    const readers = (variable: string) =>
      Object.keys(services).filter((name) => JSON.stringify(services[name]!.environment).includes(variable));
    const backend = ["api", "ingest-worker", "alert-worker", "retention-worker"];
    expect(readers("${JWT_SECRET")).toEqual(backend);
    expect(readers("${STORAGE_ENCRYPTION_KEY")).toEqual(backend);
    expect(readers("${POSTGRES_PASSWORD")).toEqual([...backend, "migrate", "postgres"]);
    expect(readers("${REDIS_PASSWORD")).toEqual([...backend, "redis"]);
    expect(readers("${S3_SECRET_ACCESS_KEY")).toEqual([...backend, "storage"]);
    expect(readers("${SMTP_PASS")).toEqual(["api", "alert-worker"]);
    expect(readers("${STRIPE_SECRET_KEY")).toEqual(["api"]);
  });

  test("takes the changes to a service, and no other service gets them", () => {
    const { services } = project({
      services: {
        "ingest-worker": { memory: "1G", cpus: 2, replicas: 3, command: ["node", "x.js", "$HOME"] },
        api: { startSeconds: 300 },
      },
    });
    expect(services["ingest-worker"]).toMatchObject({
      mem_limit: "1024m",
      cpus: 2,
      scale: 3,
      command: ["node", "x.js", "$$HOME"],
    });
    expect(services.api!.healthcheck!.start_period).toBe("300s");
    expect(services["alert-worker"]).toEqual(project().services["alert-worker"]);
  });

  test("tunes PostgreSQL and Redis to the memory that they have", () => {
    const { services } = project({ data: { postgres: { memory: "4G", cpus: 4 }, redis: { memory: "1G" } } });
    expect(services.postgres).toMatchObject({
      command: [
        "postgres",
        ...["-c", "max_connections=200"],
        ...["-c", "shared_buffers=1024MB"],
        ...["-c", "effective_cache_size=3072MB"],
        ...["-c", "maintenance_work_mem=256MB"],
      ],
      mem_limit: "4096m",
      cpus: 4,
    });
    expect(services.redis).toMatchObject({ mem_limit: "1024m", cpus: 1 });
    expect(services.redis!.command!.join("")).toContain(" --maxmemory 768mb --maxmemory-policy noeviction ");
  });

  test("takes another migration", () => {
    const { services } = project({
      migrateCommand: ["sh", "-c", "drizzle-kit migrate && tsx src/db/seed.ts"],
    });
    expect(services.migrate!.command).toEqual(["sh", "-c", "drizzle-kit migrate && tsx src/db/seed.ts"]);
  });
});

test("the catalogue refuses a secret or a variable that there is not, when it is compiled", () => {
  const worker: Service = {
    ...SERVICES[2]!,
    // @ts-expect-error: the name is wrong
    secrets: ["JWT_SECRT"],
    // @ts-expect-error: a secret is no variable
    variables: ["JWT_SECRET"],
    // @ts-expect-error: no Secret holds it for a service
    optional: ["CLOUDFLARE_API_TOKEN"],
  };
  expect(worker.name).toBe("ingest-worker");
});

describe("Traefik", () => {
  const rulesOf = (config: Record<string, unknown>, env = "") => {
    const { routers } = routes(dockerSettings(config, env)).http;
    return Object.entries(routers).map(([name, { rule, service }]) => [name, rule, service]);
  };

  test("without a domain: one host, the API by path", () => {
    expect(rulesOf({})).toEqual([
      ["web", "Host(`localhost`)", "web"],
      ["api", "Host(`localhost`) && (PathPrefix(`/api`) || Path(`/health`))", "api"],
      ["storage", "Host(`s3.localhost`)", "storage"],
    ]);
  });

  test("with a domain: a host for each, over TLS alone, with HSTS for that host", () => {
    expect(rulesOf(DOMAIN)).toEqual([
      ["web", "Host(`r.example.com`)", "web"],
      ["api", "Host(`api.r.example.com`)", "api"],
      ["ingest", "Host(`ingest.r.example.com`)", "api"],
      ["storage", "Host(`s3.r.example.com`)", "storage"],
    ]);
    const { routers, middlewares } = routes(dockerSettings(DOMAIN)).http;
    for (const { entryPoints } of Object.values(routers)) expect(entryPoints).toEqual(["https"]);
    expect(middlewares.headers.headers).toEqual({
      contentTypeNosniff: true,
      customFrameOptionsValue: "SAMEORIGIN",
      referrerPolicy: "strict-origin-when-cross-origin",
      stsSeconds: 31_536_000,
    });
  });

  test("follows the addresses in .env", () => {
    expect(
      rulesOf(DOMAIN, "PUBLIC_API_URL=https://r.example.com\nPUBLIC_INGEST_URL=https://in.example.com"),
    ).toEqual([
      ["web", "Host(`r.example.com`)", "web"],
      ["api", "Host(`r.example.com`) && (PathPrefix(`/api`) || Path(`/health`))", "api"],
      ["ingest", "Host(`in.example.com`)", "api"],
      ["storage", "Host(`s3.r.example.com`)", "storage"],
    ]);
  });

  test("with a domain: Let's Encrypt by HTTP challenge, HTTP goes on to the published HTTPS port", () => {
    const { services } = project({ ...DOMAIN, httpsPort: 8443 });
    const command = services.traefik!.command!.join("");
    expect(command).toContain("--entrypoints.http.http.redirections.entrypoint.to=:8443");
    expect(command).toContain("--certificatesresolvers.letsencrypt.acme.email=a@example.com");
    expect(command).toContain("--certificatesresolvers.letsencrypt.acme.httpchallenge.entrypoint=http");
    expect(services.traefik!.volumes).toEqual(["traefik-certificates:/certificates"]);
    expect(services["prepare-volumes"]!.command!.join("")).toContain("chown 65532:65532 /certificates");
  });

  test("never sees the Docker socket", () => {
    for (const [name, { volumes = [] }] of every(project(DOMAIN)))
      for (const volume of volumes) expect(volume, name).toMatch(/^[a-z-]+:\//);
  });
});

test("YAML reads the same by the rules of 1.1 and 1.2", () => {
  expect(yamlText({ a: "no", b: "22:22", c: "1e3", d: "012" })).toBe(
    'a: "no"\nb: "22:22"\nc: "1e3"\nd: "012"\n',
  );
});
