import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { composeProject } from "./docker/project.ts";
import { yamlText } from "./docker/yaml.ts";
import { parseEnvFile } from "./settings/env.ts";
import { loadDockerSettings } from "./settings/load.ts";
import { fileInput, projectRoot } from "./settings/sources.ts";

const COMPOSE_FILE = "docker-compose.selfhosted.yml";
const HEADER = `# The stack selfhosted, rendered by \`npm run render\`; change infra/ or Pulumi.selfhosted.yaml, not this file.
# By hand: npx rejourney secrets generate, add REJOURNEY_RELEASE=<release> to .env, then:
# docker compose -f ${COMPOSE_FILE} --env-file .env up -d --wait
`;
/** The committed renderings, by path below the project's folder. Throws SettingsError. */
export function rendered(): ReadonlyMap<string, string> {
  // Without `.env` and the images of a run, which are not committed: whoever renders gets the same file.
  const input = { ...fileInput("selfhosted"), env: parseEnvFile(""), taken: undefined };
  const settings = loadDockerSettings(input);
  return new Map([[COMPOSE_FILE, HEADER + yamlText(composeProject(settings))]]);
}

/** Which of the renderings are not what stands in the project's folder. */
export function stale(files: ReadonlyMap<string, string>): string[] {
  return [...files.keys()].filter((path) => {
    const target = join(projectRoot, path);
    return !existsSync(target) || readFileSync(target, "utf8") !== files.get(path);
  });
}
