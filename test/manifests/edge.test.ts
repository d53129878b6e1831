import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { htpasswd } from "../../infra/edge/dashboard.ts";
import { manifests } from "../unit/manifests.ts";
import { Edge } from "./edge.ts";

const CONFIG = { www: true, limits: { api: { rate: 1 }, ingest: { rate: 500, body: "8M" } } };
const MIB = 2 ** 20;

describe("Traefik, as it is configured", () => {
  let edge: Edge;
  beforeAll(async () => void (edge = await Edge.start(manifests(CONFIG))));
  afterAll(() => edge.stop());

  test.each([
    ["r.example.com", "web"],
    ["ingest.r.example.com", "api"],
  ])("leads %s to %s, with the headers for browsers", async (host, service) => {
    const { status, headers, seen } = await edge.ask({ host, path: "/a?b=c" });
    expect({ status, service: seen.service, url: seen.url }).toEqual({ status: 200, service, url: "/a?b=c" });
    expect(headers).toMatchObject({
      "strict-transport-security": "max-age=31536000",
      "x-content-type-options": "nosniff",
      "x-frame-options": "SAMEORIGIN",
      "referrer-policy": "strict-origin-when-cross-origin",
    });
  });

  test.each(["r", "api.r", "ingest.r", "www.r"])("leads from HTTP to HTTPS: %s", async (name) => {
    const host = `${name}.example.com`;
    const { status, headers } = await edge.ask({ host, path: "/a?b=c", plain: true });
    expect([status, headers.location]).toEqual([301, `https://${host}/a?b=c`]);
  });

  test("leads from www to the dashboard", async () => {
    const { status, headers } = await edge.ask({ host: "www.r.example.com", path: "/a?b=c" });
    expect([status, headers.location]).toEqual([301, "https://r.example.com/a?b=c"]);
  });

  test("answers for no other host", async () => {
    for (const plain of [true, false])
      expect((await edge.ask({ host: "other.example.com", plain })).status).toBe(404);
  });

  test("takes bodies up to the limit of the host", async () => {
    const status = async (host: string, mib: number) => (await edge.ask({ host, body: mib * MIB })).status;
    expect(await status("ingest.r.example.com", 8)).toBe(200);
    expect(await status("ingest.r.example.com", 9)).toBe(413);
  });

  test("passes pages on while they are made, which a limit of bodies would not let it", async () => {
    const parts = async (host: string) => (await edge.ask({ host, path: "/streamed" })).parts;
    expect(await parts("r.example.com")).toBe(2);
    expect(await parts("ingest.r.example.com")).toBe(1);
  });

  test("limits the API apart from ingest and dashboard", async () => {
    const statuses = async (host: string) =>
      new Set(await Promise.all(Array.from({ length: 40 }, async () => (await edge.ask({ host })).status)));
    expect(await statuses("api.r.example.com")).toEqual(new Set([200, 429]));
    expect(await statuses("ingest.r.example.com")).toEqual(new Set([200]));
    expect(await statuses("r.example.com")).toEqual(new Set([200]));
  });

  test("believes nobody but Cloudflare for whom they ask", async () => {
    const { seen } = await edge.ask({
      host: "r.example.com",
      headers: {
        "x-forwarded-for": "198.51.100.1",
        "x-forwarded-proto": "http",
        "x-real-ip": "198.51.100.1",
      },
    });
    expect(seen.headers).toMatchObject({
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "x-real-ip": "127.0.0.1",
    });
  });

  test("logs each request as JSON, and nothing that it is signed in with", async () => {
    await edge.ask({ host: "r.example.com", path: "/logged", headers: { authorization: "Bearer a-secret" } });
    const line = () =>
      edge
        .log()
        .split("\n")
        .find((one) => one.includes('"/logged"'));
    await expect.poll(line).toBeDefined();
    expect(JSON.parse(line()!)).toMatchObject({
      ClientHost: "127.0.0.1",
      DownstreamStatus: 200,
      RequestHost: "r.example.com",
      RequestPath: "/logged",
    });
    expect(edge.log()).not.toContain("a-secret");
  });
});

describe("behind Cloudflare", () => {
  let edge: Edge;
  // This machine plays Cloudflare's part.
  beforeAll(
    async () =>
      void (edge = await Edge.start(manifests({ ...CONFIG, cloudflare: {} }), { trusted: "127.0.0.1/32" })),
  );
  afterAll(() => edge.stop());
  const statuses = async (forwarded: (index: number) => string) =>
    new Set(
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const headers = { "x-forwarded-for": forwarded(index) };
          return (await edge.ask({ host: "api.r.example.com", headers })).status;
        }),
      ),
    );

  test("each client has a limit of its own, and cannot talk itself out of it", async () => {
    expect(await statuses((index) => `203.0.113.${index}`)).toEqual(new Set([200]));
    // What a client says of itself comes before what Cloudflare says of it.
    expect(await statuses((index) => `198.51.100.${index}, 192.0.2.1`)).toEqual(new Set([200, 429]));
    expect(await statuses((index) => `2001:db8:1:2::${index + 1}`)).toEqual(new Set([200, 429]));
    expect(await statuses((index) => `2001:db8:2:${index}::1`)).toEqual(new Set([200]));
  });
});

describe("the dashboard of Traefik", () => {
  let edge: Edge;
  beforeAll(async () => {
    const users = htpasswd("ops", "a-password", "a-key");
    edge = await Edge.start(manifests({ traefikDashboard: { user: "ops" } }), { users });
  });
  afterAll(() => edge.stop());
  const ask = (path: string, login?: string) =>
    edge.ask({
      host: "traefik.r.example.com",
      path,
      headers: login === undefined ? {} : { authorization: `Basic ${Buffer.from(login).toString("base64")}` },
    });

  test("opens for its user alone", async () => {
    for (const path of ["/", "/dashboard/", "/api/rawdata"]) {
      for (const login of [undefined, "ops:wrong", "other:a-password"])
        expect({ path, login, status: (await ask(path, login)).status }).toEqual({
          path,
          login,
          status: 401,
        });
    }
    // What is built from the Go module has the dashboard's API, and not its pages.
    expect((await ask("/api/rawdata", "ops:a-password")).status).toBe(200);
    const { status, headers } = await edge.ask({ host: "traefik.r.example.com", plain: true });
    expect([status, headers.location]).toEqual([301, "https://traefik.r.example.com/"]);
  });

  test("is asked for a password only so often", async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => ask("/", "ops:wrong")));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([401, 429]));
  });
});
