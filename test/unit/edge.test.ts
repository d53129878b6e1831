import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { publicHosts } from "../../infra/app/routes.ts";
import type { Manifest } from "../../infra/manifest.ts";
import { pem } from "./certificate.ts";
import { manifests, namesOf, ofKind, specOf } from "./manifests.ts";
import { kubernetesSettings } from "./values.ts";

const hostsOf = (config: Record<string, unknown>, env = "") =>
  publicHosts(kubernetesSettings(config, env)).map(({ owner, host }) => `${owner} ${host}`);

const ANNOTATION = "traefik.ingress.kubernetes.io/router.";
/** What an Ingress routes: `host path → service:port`, its entry point, middlewares and certificate. */
function routes(all: readonly Manifest[]) {
  return Object.fromEntries(
    ofKind(all, "Ingress").map(({ metadata: { name, annotations = {} }, spec }) => {
      const { rules, tls } = spec as Rules;
      return [
        name,
        {
          from: annotations[`${ANNOTATION}entrypoints`],
          by: annotations[`${ANNOTATION}middlewares`]!.split(",").map((one) =>
            one.replace(/^rejourney-(.*)@kubernetescrd$/, "$1"),
          ),
          to: rules.flatMap(({ host, http }) =>
            http.paths.map(
              ({ path, backend: { service } }) => `${host}${path} → ${service.name}:${service.port.number}`,
            ),
          ),
          tls: tls?.map(({ hosts, secretName }) => `${hosts.join()} ${secretName}`),
        },
      ];
    }),
  );
}
interface Rules {
  rules: {
    host: string;
    http: {
      paths: { path: string; backend: { service: { name: string; port: { number: number } } } }[];
    };
  }[];
  tls?: { hosts: string[]; secretName: string }[];
}

describe("the hosts", () => {
  test("follow from the domain; www only below a bare one, or where it is asked for", () => {
    const usual = ["web r.example.com", "api api.r.example.com", "ingest ingest.r.example.com"];
    expect(hostsOf({})).toEqual(usual);
    expect(hostsOf({ www: true })).toEqual([...usual, "www www.r.example.com"]);
    const bare = ["web example.com", "api api.example.com", "ingest ingest.example.com"];
    expect(hostsOf({ domain: "example.com" })).toEqual([...bare, "www www.example.com"]);
    expect(hostsOf({ domain: "example.com", www: false })).toEqual(bare);
    expect(hostsOf({ traefikDashboard: {} })).toEqual([...usual, "traefik traefik.r.example.com"]);
  });

  test("are named once each, where addresses share one", () => {
    const url = "https://r.example.com";
    expect(hostsOf({}, `PUBLIC_API_URL=${url}/api\nPUBLIC_INGEST_URL=${url}`)).toEqual(["web r.example.com"]);
  });

  test.each([
    "PUBLIC_DASHBOARD_URL=http://r.example.com",
    "PUBLIC_API_URL=https://r.example.com:8443",
    "PUBLIC_INGEST_URL=http://r.example.com:8080",
  ])("are reached by HTTPS alone, at its port: not %s", (env) => {
    const [key] = env.split("=");
    expect(() => kubernetesSettings({}, env)).toThrow(
      `${key} is not a URL of the form https://host, without a port.\n    Fix: correct line 1 of .env, or remove it`,
    );
  });
});

describe("a request", () => {
  test("is led to who answers at its host, with headers and limits of its own", () => {
    const secure = (name: string, to: string) => ({
      from: "websecure",
      by: [
        "security-headers",
        `${name}-rate-limit`,
        // With a limit of bodies, no page could be streamed.
        ...(name === "web" ? [] : [`${name}-body-limit`]),
      ],
      to: [to],
      tls: [`${to.split("/")[0]} ${name}-tls`],
    });
    const all = ["r.example.com", "api.r.example.com", "ingest.r.example.com"];
    expect(routes(manifests())).toEqual({
      web: secure("web", "r.example.com/ → web:8080"),
      api: secure("api", "api.r.example.com/ → api:3000"),
      ingest: secure("ingest", "ingest.r.example.com/ → api:3000"),
      http: {
        from: "web",
        by: ["redirect-https"],
        to: all.map((host) => `${host}/ → web:8080`),
        tls: undefined,
      },
    });
  });

  test("to www is led to the dashboard, by HTTP too", () => {
    const { www, http } = routes(manifests({ www: true }));
    expect(www).toEqual({
      from: "websecure",
      by: ["redirect-www"],
      to: ["www.r.example.com/ → web:8080"],
      tls: ["www.r.example.com www-tls"],
    });
    expect(http!.to).toContain("www.r.example.com/ → web:8080");
    const { redirectRegex } = specOf(manifests({ www: true }), "Middleware", "redirect-www")! as unknown as {
      redirectRegex: { regex: string; replacement: string };
    };
    const target = "https://www.r.example.com/a?b=c".replace(
      new RegExp(redirectRegex.regex),
      redirectRegex.replacement.replace("${1}", "$1"),
    );
    expect(target).toBe("https://r.example.com/a?b=c");
  });

  test("where hosts are shared, is led by its path; a host that serves both has one certificate", () => {
    const env = "PUBLIC_API_URL=https://r.example.com\nPUBLIC_INGEST_URL=https://r.example.com/api";
    const { web, api, http, ...rest } = routes(manifests({}, env));
    expect(rest).toEqual({});
    expect(web!.to).toEqual(["r.example.com/ → web:8080"]);
    expect(api!.to).toEqual(["r.example.com/api → api:3000", "r.example.com/health → api:3000"]);
    expect([web!.tls, api!.tls]).toEqual([["r.example.com web-tls"], ["r.example.com web-tls"]]);
    expect(http!.to).toEqual(["r.example.com/ → web:8080"]);
    expect(api!.by).toEqual(["security-headers", "api-rate-limit", "api-body-limit"]);
  });

  test("has the headers of both targets; HSTS is not for subdomains, which may be others'", () => {
    expect(specOf(manifests(), "Middleware", "security-headers")).toEqual({
      headers: {
        contentTypeNosniff: true,
        customFrameOptionsValue: "SAMEORIGIN",
        referrerPolicy: "strict-origin-when-cross-origin",
        stsSeconds: 31_536_000,
      },
    });
  });

  test("is limited apart for dashboard, API and ingest, as the settings say", () => {
    const limits = (config: Record<string, unknown>, env = "") => {
      const all = manifests(config, env);
      return namesOf(all, "Middleware")
        .filter((name) => name.endsWith("-rate-limit"))
        .map((name) => {
          const { rateLimit } = specOf(all, "Middleware", name) as unknown as RateLimit;
          const body = specOf(all, "Middleware", name.replace("rate", "body")) as unknown as
            Buffering | undefined;
          return [
            name.replace("-rate-limit", ""),
            rateLimit.average,
            rateLimit.burst,
            body && body.buffering.maxRequestBodyBytes / 2 ** 20,
          ];
        });
    };
    expect(limits({})).toEqual([
      ["web", 200, 400, undefined],
      ["api", 200, 400, 16],
      ["ingest", 1000, 2000, 128],
    ]);
    const set = { limits: { api: { rate: 50 }, ingest: { body: "1G" } } };
    expect(limits(set)).toEqual([
      ["web", 200, 400, undefined],
      ["api", 50, 100, 16],
      ["ingest", 1000, 2000, 1024],
    ]);
    // What takes recordings is not to refuse them, whatever else it takes.
    expect(limits(set, "PUBLIC_INGEST_URL=https://api.r.example.com")).toEqual([
      ["web", 200, 400, undefined],
      ["api", 1000, 2000, 1024],
    ]);
  });

  test("counts for its client: behind Cloudflare for the one that Cloudflare names", () => {
    const strategy = (config: Record<string, unknown>) =>
      (specOf(manifests(config), "Middleware", "api-rate-limit") as unknown as RateLimit).rateLimit
        .sourceCriterion.ipStrategy;
    expect(strategy({})).toEqual({ ipv6Subnet: 64 });
    expect(strategy({ cloudflare: { proxied: false } })).toEqual({ ipv6Subnet: 64 });
    expect(strategy({ cloudflare: {} })).toEqual({ depth: 1, ipv6Subnet: 64 });
  });
});
interface RateLimit {
  rateLimit: { average: number; burst: number; sourceCriterion: { ipStrategy: object } };
}
interface Buffering {
  buffering: { maxRequestBodyBytes: number };
}

describe("the certificate", () => {
  test("is Let's Encrypt's, one for each host, so that a host without a record holds up no other", () => {
    const all = manifests({ www: true, traefikDashboard: {} });
    const certificates = ofKind(all, "Certificate").map(({ metadata, spec }) => {
      const { dnsNames, secretName } = spec as { dnsNames: string[]; secretName: string };
      return `${metadata.namespace}/${secretName} ${dnsNames.join()}`;
    });
    expect(certificates).toEqual([
      "rejourney/web-tls r.example.com",
      "rejourney/api-tls api.r.example.com",
      "rejourney/ingest-tls ingest.r.example.com",
      "rejourney/www-tls www.r.example.com",
      "kube-system/traefik-tls traefik.r.example.com",
    ]);
    expect(ofKind(all, "ClusterIssuer")).toMatchObject([
      { spec: { acme: { email: "a@example.com", solvers: [{ http01: {} }] } } },
    ]);
  });

  test.each([
    ["Cloudflare's", { tls: "cloudflare-origin", cloudflare: {} }, "cloudflare-origin-tls"],
    ["one of a Secret that is there", { tls: { secret: "my-tls" } }, "my-tls"],
  ])("is %s, for every host; cert-manager is asked for none", (_, config, secret) => {
    const all = manifests({ ...config, acmeEmail: undefined, www: true });
    for (const kind of ["Certificate", "ClusterIssuer"]) expect(ofKind(all, kind)).toEqual([]);
    expect(namesOf(all, "NetworkPolicy")).not.toContain("challenge-in");
    const tls = Object.values(routes(all)).flatMap((route) => route.tls ?? []);
    expect(tls).toEqual(["r", "api.r", "ingest.r", "www.r"].map((host) => `${host}.example.com ${secret}`));
  });

  describe("of Cloudflare", () => {
    const hosts = ["r.example.com", "*.r.example.com"] as const;
    const problems = (certificate: string, key: string, config = {}) => {
      const env = `ORIGIN_CERTIFICATE='${certificate}'\nORIGIN_PRIVATE_KEY='${key}'`;
      const origin = { tls: "cloudflare-origin", cloudflare: {}, acmeEmail: undefined };
      return () => kubernetesSettings({ ...origin, ...config }, env);
    };

    test("has to bear every host", async () => {
      const { certificate, key } = await pem(hosts[0], { others: [hosts[1]] });
      expect(problems(certificate, key)().secrets).toEqual({
        ORIGIN_CERTIFICATE: certificate,
        ORIGIN_PRIVATE_KEY: key,
      });
      const one = await pem(hosts[0], { others: ["api.r.example.com"] });
      expect(problems(one.certificate, one.key, { traefikDashboard: {} })).toThrow(
        "ORIGIN_CERTIFICATE does not cover ingest.r.example.com, traefik.r.example.com.\n    Fix: create one at Cloudflare",
      );
    });

    test("has to belong to its key, and not to have expired", async () => {
      const [own, other, old] = await Promise.all([
        pem(hosts[0], { others: [hosts[1]] }),
        pem(hosts[0]),
        pem(hosts[0], { others: [hosts[1]], days: 0.5 }),
      ]);
      expect(problems(own.certificate, other.key)).toThrow(
        "ORIGIN_CERTIFICATE does not belong to ORIGIN_PRIVATE_KEY.",
      );
      expect(problems(old.certificate, old.key)).toThrow(/ORIGIN_CERTIFICATE has expired \(.* GMT\)\./);
    });
  });
});

describe("Traefik", () => {
  const values = () => {
    const [config] = ofKind(manifests(), "HelmChartConfig");
    expect(config!.metadata).toMatchObject({ name: "traefik", namespace: "kube-system" });
    return parse((config!.spec as { valuesContent: string }).valuesContent) as Values;
  };
  interface Values {
    additionalArguments: string[];
    deployment: object;
    service: object;
  }

  test("runs twice, and keeps the address of the client", () => {
    expect(values()).toMatchObject({
      deployment: { replicas: 2 },
      podDisruptionBudget: { maxUnavailable: 1 },
      service: { spec: { externalTrafficPolicy: "Local" } },
    });
  });

  test("believes Cloudflare's proxies, and nobody else, for whom they ask; and logs every request", () => {
    const { additionalArguments: flags } = values();
    const trusted = flags.filter((flag) => flag.includes("trustedIPs"));
    expect(trusted.map((flag) => flag.split("=")[0])).toEqual([
      "--entryPoints.web.forwardedHeaders.trustedIPs",
      "--entryPoints.websecure.forwardedHeaders.trustedIPs",
    ]);
    for (const flag of trusted) {
      const ranges = flag.split("=")[1]!.split(",");
      expect(ranges).toHaveLength(22);
      for (const range of ranges) expect(range).toMatch(/^([\d.]+\/(1[2-9]|2\d)|[\da-f:]+::\/(29|32))$/);
    }
    expect(flags).toContain("--accesslog=true");
    expect(flags.join()).not.toMatch(/insecure|=0\.0\.0\.0\/0/);
  });

  test("shows its dashboard where it is asked for, behind a password", () => {
    expect(ofKind(manifests(), "IngressRoute")).toEqual([]);
    const all = manifests({ traefikDashboard: { user: "ops" } });
    const beside = { namespace: "kube-system" };
    expect(ofKind(all, "IngressRoute")).toMatchObject([
      {
        metadata: beside,
        spec: {
          entryPoints: ["websecure"],
          routes: [
            {
              match: "Host(`traefik.r.example.com`)",
              // Counted first: to check a password is dear.
              middlewares: [{ name: "rejourney-dashboard-rate-limit" }, { name: "rejourney-dashboard-auth" }],
            },
          ],
          tls: { secretName: "traefik-tls" },
        },
      },
    ]);
    const auth = ofKind(all, "Middleware").find(({ spec }) => "basicAuth" in (spec as object));
    expect(auth).toMatchObject({
      metadata: { name: "rejourney-dashboard-auth", ...beside },
      spec: { basicAuth: { secret: "traefik-dashboard-auth-secret", removeHeader: true } },
    });
    expect(routes(all).http!.to).toContain("traefik.r.example.com/ → web:8080");
    const other = manifests({ traefikDashboard: {}, tls: { secret: "my-tls" } });
    expect(ofKind(other, "IngressRoute")).toMatchObject([{ spec: { tls: {} } }]);
  });
});
