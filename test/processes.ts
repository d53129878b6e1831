import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Programs that run beside a test. The output of each goes to a file of its name below `logs` in a folder. */
export class Processes {
  readonly #folder: string;
  readonly #commands = new Map<string, readonly string[]>();
  readonly #running = new Map<string, ChildProcess>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  start(name: string, command: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
    this.#commands.set(name, command);
    const [program, ...args] = command;
    mkdirSync(join(this.#folder, "logs"), { recursive: true });
    const output = openSync(join(this.#folder, "logs", name), "a");
    this.#running.set(name, spawn(program!, args, { stdio: ["ignore", output, output], env }));
    closeSync(output);
  }

  startAgain(name: string): void {
    this.start(name, this.#commands.get(name)!);
  }

  /** Ends one at once. */
  async stop(name: string): Promise<void> {
    const process = this.#running.get(name);
    this.#running.delete(name);
    if (process === undefined || process.exitCode !== null) return;
    const gone = new Promise((resolve) => process.once("exit", resolve));
    process.kill("SIGKILL");
    await gone;
  }

  /** Ends all, the youngest first. */
  async stopAll(): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) await this.stop(name);
  }

  /** Throws with the last lines of one that has ended; past the time `end`, with those of all. */
  needRunning(end = Infinity): void {
    const late = Date.now() > end;
    const ill = [...this.#running].filter(([, { exitCode }]) => late || exitCode !== null);
    if (ill.length === 0) return;
    const told = ill.map(
      ([name, { exitCode }]) => `${name} is not ready (exit code ${exitCode}):\n${this.lastLines(name)}`,
    );
    throw new Error(told.join("\n"));
  }

  lastLines(name: string): string {
    const lines = readFileSync(join(this.#folder, "logs", name), "utf8")
      .trimEnd()
      .split("\n");
    return lines.slice(-8).join("\n");
  }
}
