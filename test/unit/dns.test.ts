import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { type ExistingRecord, keepsRecords, planRecords } from "../../infra/edge/dns-plan.ts";
import { prod } from "../../stacks/prod.ts";
import { recorded } from "./mocks.ts";
import { kubernetesSettings, ZONE } from "./values.ts";

const ADDRESS = "203.0.113.10";
const OWN = "rejourney prod";
const config = (cloudflare: object = {}) => ({
  cloudflare: { zoneId: ZONE, addresses: [ADDRESS], ...cloudflare },
});

function plan(existing: readonly ExistingRecord[], cloudflare: object = {}) {
  const settings = kubernetesSettings(config(cloudflare));
  if (!keepsRecords(settings)) throw new Error("there is a zone");
  return planRecords(settings, existing);
}

const there = (record: Partial<ExistingRecord>): ExistingRecord => ({
  id: "id-of-it",
  name: "r.example.com",
  type: "A",
  content: ADDRESS,
  proxied: true,
  ttl: 1,
  ...record,
});

describe("the DNS records", () => {
  test("are one for each host and address, by families", () => {
    const { records, conflicts } = plan([], { addresses: [ADDRESS, "2001:0db8::1"], proxied: false });
    expect(conflicts).toEqual([]);
    expect(records).toHaveLength(6);
    expect(records.slice(0, 2)).toEqual([
      {
        ...{ key: `web-${ADDRESS}`, name: "r.example.com", type: "A", content: ADDRESS },
        ...{ proxied: false, ttl: 1, comment: OWN },
      },
      {
        ...{ key: "web-2001-db8--1", name: "r.example.com", type: "AAAA", content: "2001:db8::1" },
        ...{ proxied: false, ttl: 1, comment: OWN },
      },
    ]);
    expect(records.map(({ name }) => name).slice(2)).toEqual(
      ["api", "api", "ingest", "ingest"].map((name) => `${name}.r.example.com`),
    );
  });

  test("are adopted as they are, where they point where they should", () => {
    const { records, conflicts } = plan([there({ ttl: 300, comment: "by hand" })]);
    expect(conflicts).toEqual([]);
    expect(records[0]).toMatchObject({ existing: "id-of-it", ttl: 300, comment: "by hand" });
    expect(plan([there({ comment: null })]).records[0]).not.toHaveProperty("comment");
    expect(records.slice(1).every(({ existing }) => existing === undefined)).toBe(true);
  });

  test("that the stack has made are known again by their comment, and follow the settings", () => {
    const { records, conflicts } = plan([there({ comment: OWN, ttl: 300, proxied: false })]);
    expect(conflicts).toEqual([]);
    expect(records[0]).toMatchObject({ ttl: 1, proxied: true, comment: OWN });
    expect(records[0]).not.toHaveProperty("existing");
    // Another address makes another record; this one goes after that.
    const moved = plan([there({ comment: OWN, content: "203.0.113.9" })]);
    expect(moved.conflicts).toEqual([]);
    expect(moved.records[0]).not.toHaveProperty("existing");
  });

  test.each([
    [there({ content: "198.51.100.7" }), "(A 198.51.100.7) that this stack did not create"],
    [there({ type: "AAAA", content: "2001:db8::9" }), "(AAAA 2001:db8::9) that this stack did not create"],
    [
      there({ type: "CNAME", content: "x.example.net", comment: "rejourney staging" }),
      "(CNAME x.example.net) that this stack did not create",
    ],
    [there({ proxied: false }), `for ${ADDRESS} that is not proxied`],
  ])("of others are not overwritten: %j", (record, problem) => {
    const { conflicts } = plan([record]);
    expect(conflicts).toHaveLength(1);
    expect(conflicts[0]).toContain(`r.example.com has a record ${problem}`);
  });

  test("of other hosts and kinds are nobody's business", () => {
    const others = [
      there({ name: "other.example.com", content: "198.51.100.7" }),
      there({ type: "TXT", content: "v=spf1" }),
    ];
    expect(plan(others)).toEqual(plan([]));
  });
});

describe("the stack prod", () => {
  const settings = kubernetesSettings(config(), "CLOUDFLARE_API_TOKEN=token");
  const answer =
    (existing: readonly ExistingRecord[]): pulumi.runtime.Mocks["call"] =>
    ({ inputs }) => {
      const { zoneId, name } = inputs as { zoneId: string; name: { exact: string } };
      return { results: zoneId === ZONE ? existing.filter((record) => record.name === name.exact) : [] };
    };

  test("makes the records last, and keeps those that it has adopted when it goes", async () => {
    const { registered, providers } = await recorded(
      "prod",
      () => prod(settings),
      {},
      answer([there({}), there({ id: "other", type: "TXT" })]),
    );
    const records = registered.filter(({ type }) => type === "cloudflare:index/dnsRecord:DnsRecord");
    const [web, api] = records;
    expect(records.map(({ name }) => name)).toEqual(
      ["web", "api", "ingest"].map((owner) => `rejourney-dns-${owner}-${ADDRESS}`),
    );
    expect(web).toMatchObject({
      import: `${ZONE}/id-of-it`,
      retainOnDelete: true,
      inputs: { zoneId: ZONE, name: "r.example.com", type: "A", content: ADDRESS, proxied: true, ttl: 1 },
    });
    expect(web!.inputs).not.toHaveProperty("existing");
    expect(api).toMatchObject({ import: undefined, retainOnDelete: false, inputs: { comment: OWN } });
    expect(providers[web!.name]).toMatch(/::rejourney-dns-cloudflare::/);
    for (const { dependsOn } of records) expect(dependsOn).toEqual(["rejourney"]);
    const provider = registered.find(({ name }) => name === "rejourney-dns-cloudflare");
    expect(provider).toMatchObject({
      parent: "rejourney-dns",
      secret: ["apiToken"],
      inputs: { apiToken: "token" },
    });
  });

  test("touches nothing where a record is in the way", async () => {
    const types: string[] = [];
    const newResource: pulumi.runtime.Mocks["newResource"] = ({ type, name, inputs }) => {
      types.push(type);
      return { id: name, state: { ...(inputs as object), output: "made", result: "made" } };
    };
    const call = answer([there({ content: "198.51.100.7" })]);
    await pulumi.runtime.setMocks({ newResource, call }, "rejourney", "prod");
    const error = await prod(settings).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(pulumi.RunError.isInstance(error)).toBe(true);
    expect((error as Error).message).toBe(
      "DNS records conflict with this stack; nothing was changed.\n  r.example.com has a record (A 198.51.100.7) that this stack did not create. Fix: at Cloudflare, remove the record, or set it to 203.0.113.10, so that the stack adopts it",
    );
    expect(types.filter((type) => /kubernetes|dnsRecord/.test(type))).toEqual([]);
  });

  test("keeps no records without a zone", async () => {
    const { registered } = await recorded("prod", () => prod(kubernetesSettings({ cloudflare: {} })));
    expect(registered.filter(({ type }) => type.startsWith("cloudflare:"))).toEqual([]);
  });
});
