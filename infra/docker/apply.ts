// What the command resource of a single node runs: `apply.ts up` or `apply.ts down`. The project comes by the
// environment (STACK, PROJECT, SERVICE_<NAME>). Standard output stays empty, since the engine keeps it in the state.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { ComposeProject } from "./compose-spec.ts";
import { yamlText } from "./yaml.ts";

const { STACK: stack, PROJECT: project } = process.env;
if (stack === undefined || project === undefined)
  throw new Error("PROJECT is not set: this is run by the deployment, not by hand");
const file = resolve(".rejourney", stack, "docker-compose.yml");

if (process.argv[2] === "up") {
  const services = Object.keys(process.env)
    .filter((name) => name.startsWith("SERVICE_"))
    .sort()
    .map((name) => parse(process.env[name]!) as ComposeProject["services"]);
  const whole = { ...(parse(project) as object), services: Object.assign({}, ...services) as object };
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.partial`, yamlText(whole), { flush: true });
  renameSync(`${file}.partial`, file);
} else {
  rmSync(file, { force: true });
}
