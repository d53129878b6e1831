// What the command resource of a single node runs: `apply.ts up` or `apply.ts down`, with STACK and the project in the
// environment. Standard output stays empty, since the engine keeps it in the state.
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { projectOf } from "./project-variables.ts";
import { yamlText } from "./yaml.ts";

const file = resolve(".rejourney", process.env.STACK!, "docker-compose.yml");

if (process.argv[2] === "up") {
  const text = yamlText(projectOf(process.env));
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.partial`, text, { flush: true });
  renameSync(`${file}.partial`, file);
} else {
  rmSync(file, { force: true });
}
