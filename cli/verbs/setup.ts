import { mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Images } from "../../infra/app/images.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { yamlText } from "../../infra/yaml.ts";
import { type DockerSettings, loadDockerSettings } from "../../infra/settings/load.ts";
import { command, shownEnvFile } from "../../infra/settings/command.ts";
import { fileInput, projectRoot } from "../../infra/settings/sources.ts";
import { ensureDocker } from "../../tools/setup/docker.ts";
import { confirmUnless } from "../terminal/confirm.ts";
import { obtainImages, SAMPLE_RELEASE } from "../single-node/images.ts";
import type { Options } from "../terminal/options.ts";
import { log, print, printJson } from "../terminal/output.ts";
import { replaceFile } from "../state/replace-file.ts";

export interface SetupOptions extends Options {
  yes: boolean;
}

/** Gets what the single node needs on this machine: Docker Engine, Compose and the images. Starts no container. */
export async function setup({ stack, json, yes }: SetupOptions): Promise<void> {
  const settings = loadDockerSettings(fileInput(stack));
  for (const warning of settings.warnings) log(`Warning: ${warning}`);
  await ensureDocker({ log, confirm: confirmUnless(yes) });
  const made = await obtainImages(settings, composeProject(settings));
  const path = join(".rejourney", stack, "images.yml");
  if (made === undefined) rmSync(join(projectRoot, path), { force: true });
  else writeOverride(join(projectRoot, path), settings, made);
  if (json) {
    printJson({ stack, made: made ?? null, override: made ? path : null });
    return;
  }
  const files = ["docker-compose.selfhosted.yml", ...(made === undefined ? [] : [path])];
  const steps = [
    command(stack, "secrets generate"),
    ...(settings.release === undefined
      ? [`echo REJOURNEY_RELEASE=${made === undefined ? "<release>" : SAMPLE_RELEASE} >> ${shownEnvFile()}`]
      : []),
    `docker compose ${files.map((file) => `-f ${file} `).join("")}--env-file ${shownEnvFile()} up -d --wait`,
  ];
  print(`Docker and the images are installed. Next:\n${steps.map((step) => `  ${step}\n`).join("")}`);
}

/** A Compose file that, given after the rendered one, puts other images in the place of its own. */
function writeOverride(path: string, settings: DockerSettings, takenImages: Images): void {
  const { services } = composeProject({ ...settings, takenImages });
  const entries = Object.entries(services).map(([name, { image }]) => [name, { image }]);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, yamlText({ services: Object.fromEntries(entries) as unknown }));
}
