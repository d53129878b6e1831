import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../../tools/setup/cache.ts";
import { goModule } from "../../tools/setup/go-tool.ts";
import type { Log } from "../../tools/setup/log.ts";

interface Definition {
  properties?: Record<string, unknown>;
  additionalProperties?: unknown;
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}

/** The file that all others refer to. */
const DEFINITIONS = "_definitions.json";

/**
 * A folder of JSON schemas for kubeconform, one a kind, of the Kubernetes release that tools/go pins. Made from the
 * API description in its Go module; strict, so that a misspelt field is a fault.
 */
export async function kubernetesSchemas(log: Log): Promise<string> {
  const { version, folder } = await goModule("kubernetes", log);
  const target = join(cacheDir, `schemas-${version}`);
  if (existsSync(target)) return target;
  const { definitions } = readDescription(join(folder, "api", "openapi-spec", "swagger.json"));
  const partial = `${target}.${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  writeFileSync(join(partial, DEFINITIONS), JSON.stringify({ definitions }));
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version: of, kind } of definition["x-kubernetes-group-version-kind"] ?? []) {
      const file = [kind, ...(group === "" ? [] : [group.split(".")[0]]), of].join("-").toLowerCase();
      const schema = { $ref: `${DEFINITIONS}#/definitions/${name}` };
      writeFileSync(join(partial, `${file}.json`), JSON.stringify(schema));
    }
  }
  renameSync(partial, target);
  return target;
}

function readDescription(path: string): { definitions: Record<string, Definition> } {
  const text = readFileSync(path, "utf8").replaceAll('"#/definitions/', `"${DEFINITIONS}#/definitions/`);
  const { definitions } = JSON.parse(text) as { definitions: Record<string, Definition> };
  for (const [name, definition] of Object.entries(definitions)) {
    if (definition.properties !== undefined) definition.additionalProperties ??= false;
    // In the description these are texts; in a manifest they may be numbers.
    if (/\.(Quantity|IntOrString)$/.test(name)) (definition as { type: unknown }).type = ["string", "number"];
  }
  return { definitions };
}
