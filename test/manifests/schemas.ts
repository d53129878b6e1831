import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { cacheDir } from "../../tools/setup/cache.ts";
import { goModules } from "../../tools/setup/go-tool.ts";
import type { Log } from "../../tools/setup/log.ts";

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: unknown;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
}

interface Definition extends Schema {
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

interface CustomResourceDefinition {
  spec: {
    group: string;
    names: { kind: string };
    versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
  };
}

/** The file that those of Kubernetes' own kinds refer to. */
const DEFINITIONS = "_definitions.json";

/** Where the modules of tools/go/crds keep the definitions of their kinds: a file, or a folder of them. */
const CRDS: Record<string, string> = {
  "github.com/cert-manager/cert-manager": "deploy/crds",
  "github.com/traefik/traefik/v3":
    "docs/content/reference/dynamic-configuration/kubernetes-crd-definition-v1.yml",
};

/** Paths of the definitions of the kinds that others than Kubernetes define; a path may be a folder of them. */
export async function customResourceDefinitions(log: Log): Promise<string[]> {
  const modules = await goModules("crds", log);
  return Object.entries(CRDS).map(([path, definitions]) => join(modules[path]!.folder, definitions));
}

/** Raised when what is written changes for the same modules. */
const FORMAT = 2;

/**
 * A folder of JSON schemas for kubeconform, one a kind: of the Kubernetes release that tools/go/kubernetes pins, made
 * from the API description in its Go module, and of those who define kinds of their own. Strict, so that a misspelt field
 * is a fault.
 */
export async function kubernetesSchemas(log: Log): Promise<string> {
  const kubernetes = await goModules("kubernetes", log);
  const others = await goModules("crds", log);
  const versions = Object.entries({ ...kubernetes, ...others }).map(([path, { version }]) => [path, version]);
  const key = createHash("sha256").update(JSON.stringify([FORMAT, versions]));
  const target = join(cacheDir, `schemas-${key.digest("hex").slice(0, 12)}`);
  if (existsSync(target)) return target;
  const partial = `${target}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  const { folder } = kubernetes["k8s.io/kubernetes"]!;
  writeOwnKinds(join(folder, "api", "openapi-spec", "swagger.json"), partial);
  for (const [path, crds] of Object.entries(CRDS))
    writeForeignKinds(join(others[path]!.folder, crds), partial);
  renameSync(partial, target);
  return target;
}

/** The name under which kubeconform looks for a kind. */
function fileOf(kind: string, group: string, version: string): string {
  const parts = [kind, ...(group === "" ? [] : [group.split(".")[0]]), version];
  return `${parts.join("-").toLowerCase()}.json`;
}

function writeOwnKinds(description: string, target: string): void {
  const { definitions } = readDescription(description);
  writeFileSync(join(target, DEFINITIONS), JSON.stringify({ definitions }));
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
      const schema = { $ref: `${DEFINITIONS}#/definitions/${name}` };
      writeFileSync(join(target, fileOf(kind, group, version)), JSON.stringify(schema));
    }
  }
}

function readDescription(path: string): { definitions: Record<string, Definition> } {
  const text = readFileSync(path, "utf8").replaceAll('"#/definitions/', `"${DEFINITIONS}#/definitions/`);
  const { definitions } = JSON.parse(text) as { definitions: Record<string, Definition> };
  for (const [name, definition] of Object.entries(definitions)) {
    if (definition.properties !== undefined) definition.additionalProperties ??= false;
    // In the description these are texts; in a manifest they may be numbers.
    if (/\.(Quantity|IntOrString)$/.test(name))
      (definition as { type?: unknown }).type = ["string", "number"];
  }
  return { definitions };
}

function writeForeignKinds(crds: string, target: string): void {
  const files = crds.endsWith(".yml") ? [crds] : readdirSync(crds).map((name) => join(crds, name));
  for (const file of files.filter((path) => /\.ya?ml$/.test(path))) {
    for (const document of parseAllDocuments(readFileSync(file, "utf8"))) {
      const definition = document.toJS() as CustomResourceDefinition | null;
      for (const { name, schema } of definition?.spec.versions ?? []) {
        const { group, names } = definition!.spec;
        const { properties, ...root } = schema.openAPIV3Schema;
        // Of the metadata, which every kind has alike, a definition says nothing.
        const { metadata, ...own } = properties!;
        const strict = { ...root, properties: { ...strictly({ properties: own }).properties, metadata } };
        writeFileSync(join(target, fileOf(names.kind, group, name)), JSON.stringify(strict));
      }
    }
  }
}

function strictly(schema: Schema): Schema {
  const { properties, items, additionalProperties: others } = schema;
  const open = others ?? schema["x-kubernetes-preserve-unknown-fields"] ?? false;
  return {
    ...schema,
    ...(items && { items: strictly(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, value]) => [name, strictly(value)]),
      ),
      additionalProperties: open,
    }),
  };
}
