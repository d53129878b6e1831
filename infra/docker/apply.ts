// What the command resource of a single node runs: `apply.ts up` or `apply.ts down`. The project comes by the
// environment, the secrets, as JSON, by standard input. Standard output stays empty, since the engine keeps it.
import { text } from "node:stream/consumers";
import { Compose } from "./compose.ts";
import { printable } from "../printable.ts";
import { exclusive } from "./exclusive.ts";
import { needOwnProject } from "./own.ts";
import { projectOf } from "../compose/project-variables.ts";
import { up } from "./up.ts";

async function apply(verb: string | undefined): Promise<void> {
  const project = projectOf(process.env);
  await exclusive(project.name, (line) => process.stderr.write(`${line}\n`));
  // Compose would replace or remove what bears the project's name, whoever made it.
  await needOwnProject(project.name);
  if (verb === "down") return new Compose(project.name).down();
  if (verb !== "up") throw new Error("The first argument is neither up nor down.");
  const secrets = JSON.parse(await text(process.stdin)) as Record<string, string>;
  await up(new Compose(project.name, secrets), project);
}

try {
  await apply(process.argv[2]);
} catch (error) {
  process.stderr.write(`${printable((error as Error).message)}\n`);
  process.exitCode = 1;
}
