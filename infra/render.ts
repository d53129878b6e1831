import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { composeProject } from "./compose/project.ts";
import { stages } from "./kubernetes/parts.ts";
import { parseEnvFile } from "./settings/env.ts";
import { loadDockerSettings, loadKubernetesSettings } from "./settings/load.ts";
import { fileInput, projectRoot } from "./settings/sources.ts";
import { yamlText } from "./yaml.ts";

const COMPOSE_FILE = "docker-compose.selfhosted.yml";
const COMPOSE_HEADER = `# The stack selfhosted, rendered by \`npm run render\`; change infra/ or Pulumi.selfhosted.yaml, not this file.
# By hand: npx rejourney secrets generate, add REJOURNEY_RELEASE=<release> to .env, then:
# docker compose -f ${COMPOSE_FILE} --env-file .env up -d --wait
`;
const MANIFESTS = "k8s";
const MANIFEST_HEADER =
  "# The stack prod, rendered by `npm run render`; change infra/ or Pulumi.prod.yaml, not this file.\n";

/** The committed renderings, by path below the project's folder. Throws SettingsError. */
export function rendered(): ReadonlyMap<string, string> {
  return new Map([...composeFile(), ...manifestFiles()]);
}

/** Which of the renderings are not what stands in the project's folder. */
export function stale(files: ReadonlyMap<string, string>): string[] {
  return [...files.keys()].filter((path) => {
    const target = join(projectRoot, path);
    return !existsSync(target) || readFileSync(target, "utf8") !== files.get(path);
  });
}

/** Files of an earlier rendering that this one does not have: `kubectl apply -f k8s/` would apply them too. */
export function leftOver(files: ReadonlyMap<string, string>): string[] {
  const folder = join(projectRoot, MANIFESTS);
  const there = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  return there
    .filter((entry) => entry.isFile())
    .map(({ name }) => join(MANIFESTS, name))
    .filter((path) => !files.has(path))
    .filter((path) => readFileSync(join(projectRoot, path), "utf8").startsWith(MANIFEST_HEADER));
}

function composeFile(): [string, string][] {
  const settings = loadDockerSettings(committedInput("selfhosted"));
  return [[COMPOSE_FILE, COMPOSE_HEADER + yamlText(composeProject(settings))]];
}

/** A file for each part, numbered by the order in which they are applied. Secrets are referred to by name alone. */
function manifestFiles(): [string, string][] {
  return stages(loadKubernetesSettings(committedInput("prod"))).flatMap((stage, index) =>
    stage.map(({ name, manifests }): [string, string] => [
      join(MANIFESTS, `${String(index).padStart(2, "0")}-${name}.yml`),
      MANIFEST_HEADER + manifests.map((manifest) => `---\n${yamlText(manifest)}`).join(""),
    ]),
  );
}

// Without `.env` and the images of a run, which are not committed: whoever renders gets the same files.
function committedInput(stack: string) {
  return { ...fileInput(stack), env: parseEnvFile(""), taken: undefined };
}
