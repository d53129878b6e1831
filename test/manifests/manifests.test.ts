import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stages } from "../../infra/kubernetes/parts.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { yamlText } from "../../infra/yaml.ts";
import { kubernetesSettings } from "../unit/values.ts";
import { conformance, score } from "./judges.ts";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rejourney-manifests-"))));
afterAll(() => rmSync(folder, { recursive: true }));

const k8s = join(projectRoot, "k8s");
const committed = readdirSync(k8s).map((name) => join(k8s, name));

function written(name: string, text: string): string {
  const path = join(folder, `${name}.yml`);
  writeFileSync(path, text);
  return path;
}

describe("the committed manifests", () => {
  test("are what the API of Kubernetes takes, every object", async () => {
    const objects = committed.flatMap((file) => readFileSync(file, "utf8").match(/^kind: /gm)!).length;
    expect(objects).toBeGreaterThan(65);
    expect(await conformance(committed)).toEqual({
      // The one that is left out configures K3s's Traefik.
      summary: { valid: objects - 1, invalid: 0, errors: 0, skipped: 1 },
      faults: [],
    });
  });

  test("have no critical finding and no warning", async () => {
    const { checks, faults } = await score(committed);
    expect(faults).toEqual([]);
    expect(checks).toBeGreaterThan(200);
  });
});

test("with every setting there is, they are as good", async () => {
  const settings = kubernetesSettings({
    external: { redis: { host: "10.0.0.7" } },
    data: { postgres: { memory: "4G", cpus: 3, storage: "80G" } },
    storageClass: "longhorn",
    registry: { user: "reader" },
    migrateCommand: ["tsx", "src/db/seed.ts"],
    services: {
      "ingest-worker": { replicas: 3, maxReplicas: 12, memory: "2G" },
      "retention-worker": { replicas: 0 },
      api: { memory: "128M", cpus: 0.05, command: ["node", "dist/index.js"] },
    },
    www: true,
    cloudflare: {},
    limits: { ingest: { rate: 5000, body: "1G" } },
    traefikDashboard: {},
  });
  const manifests = stages(settings).flatMap((stage) => stage.flatMap((part) => part.manifests));
  const file = written("all", manifests.map((manifest) => `---\n${yamlText(manifest)}`).join(""));
  expect(await conformance([file])).toEqual({
    summary: { valid: manifests.length - 1, invalid: 0, errors: 0, skipped: 1 },
    faults: [],
  });
  expect((await score([file])).faults).toEqual([]);
});

describe("a fault is found", () => {
  const api = () => readFileSync(join(k8s, "04-api.yml"), "utf8");

  test.each([
    ["a misspelt field", "readinessProbe:", "readynessProbe:", /'readynessProbe' not allowed/],
    ["a text for a number", "containerPort: 3000", 'containerPort: "3000"', /got string, want integer/],
  ])("by the schemas: %s", async (_, from, to, fault) => {
    expect(api()).toContain(from);
    const { summary, faults } = await conformance([written("broken", api().replace(from, to))]);
    expect(summary).toMatchObject({ invalid: 1 });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  test.each([
    ["06-ingress", "a misspelt limit", "average:", "avrage:", /'avrage' not allowed/],
    [
      "06-ingress",
      "a strategy that Traefik has not",
      "ipv6Subnet: 64",
      "ipv6Net: 64",
      /'ipv6Net' not allowed/,
    ],
    ["01-traefik", "a misspelt host list", "dnsNames:", "dnsName:", /'dnsName' not allowed/],
  ])("by the schemas of others: in %s, %s", async (name, _, from, to, fault) => {
    const text = readFileSync(join(k8s, `${name}.yml`), "utf8");
    expect(text).toContain(from);
    const { summary, faults } = await conformance([written("foreign", text.replace(from, to))]);
    expect(summary).toMatchObject({ invalid: 1 });
    expect(faults[0]).toMatch(fault);
  });

  test("by the schemas: a kind that nobody knows", async () => {
    const text = "apiVersion: v1\nkind: Pot\nmetadata: { name: x }\n";
    const { faults } = await conformance([written("unknown", text)]);
    expect(faults).toHaveLength(1);
  });

  test.each([
    ["a root that can be written", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"],
    ["a container without a memory limit", /limits:\n(\s+cpu: .*\n)\s+memory: .*\n/, "limits:\n$1"],
    [
      "a Service without pods",
      "    app.kubernetes.io/name: api\n    app.kubernetes.io/part-of: rejourney\n  ports",
      "    app.kubernetes.io/name: other\n  ports",
    ],
  ])("by kube-score: %s", async (_, from, to) => {
    const broken = api().replace(from, to);
    expect(broken).not.toBe(api());
    const files = [...committed.filter((file) => !file.endsWith("04-api.yml")), written("scored", broken)];
    expect((await score(files)).faults).toHaveLength(1);
  });
});
