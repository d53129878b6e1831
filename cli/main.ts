import { resolve } from "node:path";
import { Argument, Command, CommanderError, Option } from "commander";
import { ExecaError } from "execa";
import { SECRET_NAMES, type SecretName } from "../infra/app/secrets.ts";
import { ClusterError } from "../infra/cluster/errors.ts";
import { ProjectError } from "../infra/docker/own.ts";
import { DEFAULT_STACK } from "../infra/settings/command.ts";
import { SettingsError } from "../infra/settings/problem.ts";
import { SetupError } from "../tools/setup/error.ts";
import { needOwnFolder } from "./state/folder.ts";
import { Failure, log } from "./terminal/output.ts";
import { render } from "./verbs/render.ts";
import { secretsCheck } from "./verbs/secrets/check.ts";
import { secretsGenerate } from "./verbs/secrets/generate.ts";
import type { DownOptions } from "./verbs/down.ts";
import type { RecoverOptions } from "./verbs/recover.ts";
import type { ExportOptions } from "./verbs/secrets/export.ts";
import type { RotateOptions } from "./verbs/secrets/rotate.ts";
import type { SyncOptions } from "./verbs/secrets/sync.ts";
import type { SetupOptions } from "./verbs/setup.ts";
import type { Options, UpOptions } from "./terminal/options.ts";

const program = new Command("rejourney")
  .description("Deploys Rejourney.")
  .exitOverride()
  .hook("preAction", needOwnFolder)
  .showHelpAfterError();

/** A verb with the options that mean the same everywhere. */
function verb(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .addOption(new Option("--stack <name>", "the stack").default(DEFAULT_STACK))
    .addOption(new Option("--env-file <file>", "read and write this file instead of .env"))
    .addOption(new Option("--json", "print the result as JSON").default(false))
    .hook("preAction", (_, command) => {
      const { envFile } = command.opts<{ envFile?: string }>();
      if (envFile !== undefined) process.env.REJOURNEY_ENV_FILE = resolve(envFile);
    });
}

// Loaded when they are used: the engine's client takes most of a second.
verb(program, "up", "install what is missing, and deploy the stack as the settings say")
  .option("--yes", "install what is missing without asking", false)
  .option("--adopt-host", "deploy to this Docker host in place of the one that the stack was on", false)
  .option("--forget-variables", "use the defaults of variables that .env no longer has", false)
  .action(async (options: UpOptions) => (await import("./verbs/up.ts")).up(options));
verb(program, "preview", "show what `up` would change; change nothing").action(async (options: Options) =>
  (await import("./verbs/preview.ts")).preview(options),
);
verb(program, "status", "show the health of each service; change nothing").action(async (options: Options) =>
  (await import("./verbs/status.ts")).status(options),
);
verb(program, "down", "remove what runs; keep data and secrets")
  .option("--yes", "do not ask for confirmation", false)
  .option("--delete-data", "also delete the data: database, recordings, certificates", false)
  .option("--confirm <name>", "the stack's name, to delete its data without a prompt")
  .action(async (options: DownOptions) => (await import("./verbs/down.ts")).down(options));
verb(program, "setup", "install Docker Engine, Compose and the images on this machine; start no container")
  .option("--yes", "install what is missing without asking", false)
  .action(async (options: SetupOptions) => (await import("./verbs/setup.ts")).setup(options));
program
  .command("recover")
  .description("restore the state, the passphrase and the settings from a recovery bundle")
  .argument("<bundle>", "recovery-<stack>.age")
  .option("--key <file>", "the recovery key (default: .rejourney/recovery.key)")
  .option("--json", "print the result as JSON", false)
  .action(async (bundle: string, options: RecoverOptions) =>
    (await import("./verbs/recover.ts")).recover(bundle, options),
  );
program
  .command("render")
  .description(
    "write docker-compose.selfhosted.yml and k8s/ from the settings of the stacks selfhosted and prod",
  )
  .option("--check", "change nothing; fail if a file is out of date", false)
  .action(render);
const secrets = program.command("secrets").description("check, generate, change and export secrets");
verb(secrets, "check", "check .env and the stack's settings; change nothing").action(secretsCheck);
verb(secrets, "generate", "generate the secrets that .env lacks; keep the others").action(secretsGenerate);
verb(secrets, "sync", "use the values of .env, and restart the services that read a changed one")
  .option("--dry-run", "show the names of what would change; change nothing", false)
  .option("--prune", "remove the secrets that .env no longer has", false)
  .option("--direct", "write to a cluster that no stack manages, such as one created from k8s/", false)
  .option("--yes", "also apply the other changes of the settings", false)
  .option("--adopt-host", "deploy to this Docker host in place of the one that the stack was on", false)
  .action(async (options: SyncOptions) => (await import("./verbs/secrets/sync.ts")).secretsSync(options));
verb(secrets, "export", "write the secrets of the stack to .env, in plain text")
  .option(
    "--from-cluster",
    "take the values from the Secrets of the cluster, for a state that is lost",
    false,
  )
  .option("--yes", "do not ask for confirmation", false)
  .action(async (options: ExportOptions) =>
    (await import("./verbs/secrets/export.ts")).secretsExport(options),
  );
verb(secrets, "rotate", "give secrets new values, and restart the services that read them")
  .addArgument(new Argument("<names...>", "such as JWT_SECRET").choices(SECRET_NAMES))
  .option("--dry-run", "show what would happen; change nothing", false)
  .option("--adopt-host", "deploy to this Docker host in place of the one that the stack was on", false)
  .option("--finish", "delete the old STORAGE_ENCRYPTION_KEY once every row uses the new one", false)
  .option("--yes", "do not ask for confirmation", false)
  .action(async (names: SecretName[], options: RotateOptions) =>
    (await import("./verbs/secrets/rotate.ts")).secretsRotate(names, options),
  );
program
  .command("pulumi")
  .description("run the Pulumi CLI on this project's state")
  .argument("[arguments...]")
  .allowUnknownOption()
  .helpOption(false)
  .action(async (args: string[]) => (await import("./verbs/pulumi.ts")).passThrough(args));

/** Errors whose message says it all. */
const TOLD = [Failure, SettingsError, SetupError, ClusterError, ProjectError];

/** What a person needs to know of an error; of one that nobody foresaw, everything. */
function inWords(error: Error): string {
  if (TOLD.some((kind) => error instanceof kind)) return error.message;
  if (!(error instanceof ExecaError)) return error.stack ?? error.message;
  const stderr = (error as ExecaError<{ encoding: "utf8" }>).stderr ?? "";
  return [error.shortMessage, ...stderr.trimEnd().split("\n").slice(-8)].join("\n");
}

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
    log(inWords(error as Error));
    process.exitCode = 1;
  }
}
