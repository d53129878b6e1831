// A stand-in for the plugin of @pulumi/command. It knows the one resource that the program uses: local.Command.
import { randomUUID } from "node:crypto";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { type Props, type Say, serve } from "./serve.ts";

interface Inputs {
  create?: string;
  update?: string;
  delete?: string;
  environment?: Record<string, string>;
  stdin?: string;
  dir?: string;
  interpreter?: string[];
}

/** Lines of its output that the error of a failed command shows. */
const SHOWN_LINES = 40;
const running = new Set<ChildProcess>();

/** Runs a command to its end; what it prints is shown as it comes. Throws with its last lines when it fails. */
async function run(command: string | undefined, inputs: Props, say: Say, old: Props = {}): Promise<Props> {
  if (!command) return { stdout: old.stdout ?? "", stderr: old.stderr ?? "" };
  const { interpreter = ["/bin/sh", "-c"], dir, environment, stdin } = inputs as Inputs;
  const [shell, ...flags] = interpreter;
  // In a process group of its own, so that cancelling ends all that it started.
  const child = spawn(shell!, [...flags, command], {
    cwd: dir,
    env: { ...process.env, ...environment, ...previousOutput(old) },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  child.stdin.on("error", () => {}); // a command may end without reading all of its input
  child.stdin.end(stdin ?? "");
  const printed = { stdout: [] as string[], stderr: [] as string[] };
  const both: string[] = [];
  for (const stream of ["stdout", "stderr"] as const) {
    createInterface({ input: child[stream] }).on("line", (line) => {
      printed[stream].push(line);
      both.push(line);
      say(line);
    });
  }
  const ended = await new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? "" : `exit status ${signal ?? code}`));
  });
  running.delete(child);
  if (ended !== "")
    throw new Error(
      [`${ended}: running ${JSON.stringify(command)}:`, ...both.slice(-SHOWN_LINES)].join("\n"),
    );
  return { stdout: printed.stdout.join("\n"), stderr: printed.stderr.join("\n") };
}

/** As the official plugin hands over what the command before has printed. */
function previousOutput({ stdout, stderr }: Props): Record<string, string> {
  return {
    ...(stdout !== undefined && { PULUMI_COMMAND_STDOUT: stdout as string }),
    ...(stderr !== undefined && { PULUMI_COMMAND_STDERR: stderr as string }),
  };
}

function cancel(): void {
  for (const { pid } of running) {
    try {
      process.kill(-pid!, "SIGTERM");
    } catch {
      // It has ended already.
    }
  }
}

serve("command", {
  types: {
    "command:local:Command": [
      "create",
      "update",
      "delete",
      "triggers",
      "environment",
      "stdin",
      "dir",
      "interpreter",
    ],
  },
  replaces: ["triggers"],
  create: async (_type, inputs, say) => ({
    id: randomUUID(),
    outputs: await run((inputs as Inputs).create, inputs, say),
  }),
  update: async (_type, inputs, old, say) =>
    run((inputs as Inputs).update ?? (inputs as Inputs).create, inputs, say, old),
  remove: async (_type, outputs, say) => void (await run((outputs as Inputs).delete, outputs, say, outputs)),
  cancel,
});
