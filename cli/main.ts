import { Command, CommanderError, Option } from "commander";
import { SettingsError } from "../infra/settings/problem.ts";
import { Failure } from "./output.ts";
import { render } from "./render.ts";
import { secretsCheck, secretsGenerate } from "./secrets.ts";

const program = new Command("rejourney")
  .description("Puts Rejourney into production.")
  .exitOverride()
  .showHelpAfterError();

const envFileOption = new Option("--env-file <file>", "read and write this file instead of .env");
const stackOption = new Option("--stack <name>", "the stack").default("selfhosted");
const jsonOption = new Option("--json", "print the result as JSON").default(false);

program
  .command("render")
  .description("write docker-compose.selfhosted.yml from the settings of the stack selfhosted")
  .option("--check", "change nothing; fail when the file is not what the program renders", false)
  .action(render);
const secrets = program.command("secrets").description("check or make the secrets in .env");
secrets
  .command("check")
  .description("check .env and the stack's settings by every rule; changes nothing")
  .addOption(stackOption)
  .addOption(envFileOption)
  .addOption(jsonOption)
  .action(secretsCheck);
secrets
  .command("generate")
  .description("fill what is missing in .env; what is there stays")
  .addOption(stackOption)
  .addOption(envFileOption)
  .addOption(jsonOption)
  .action(secretsGenerate);

// Whoever reads the output may go away, as `head` does.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const known = error instanceof Failure || error instanceof SettingsError;
    process.stderr.write(`${known ? error.message : ((error as Error).stack ?? String(error))}\n`);
    process.exitCode = 1;
  }
}
