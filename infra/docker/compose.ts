import { execa } from "execa";
import { printable } from "../printable.ts";
import { redactor } from "../secrets/redact.ts";
import { type Container, isWell, statusOf } from "./containers.ts";

/** What `docker` needs to find its engine and its plugins. All else that a shell exports is no setting of the project. */
const PASSED_ON = /^(PATH|HOME|SSH_AUTH_SOCK|XDG_RUNTIME_DIR|DOCKER_.*)$/;
/** Seconds; a service is called unhealthy 90 seconds after its start at the latest. */
const WAIT = ["--detach", "--no-deps", "--wait", "--wait-timeout=300"];
const SHOWN_LINES = 15;
/** Compose asks for the removal of an empty network alone: this is a mistake of Docker Engine (moby issue 42119). */
const STALE_NETWORK = /failed to remove network (\S+): .*has active endpoints/;

/** `docker compose` on one project. Secrets reach it by its environment, and no line that it prints holds one. */
export class Compose {
  readonly #project: string;
  readonly #env: Record<string, string>;
  /** Takes the secrets out of a text. */
  readonly #redacted: (text: string) => string;

  /** `secrets` are what the project's text refers to, by name; an empty one counts as not given. */
  constructor(project: string, secrets: Readonly<Record<string, string>> = {}) {
    this.#project = project;
    const given = Object.entries(secrets).filter(([, value]) => value !== "");
    const passed = Object.entries(process.env).filter(([name]) => PASSED_ON.test(name));
    this.#env = {
      ...(Object.fromEntries(passed) as Record<string, string>),
      // The `.env` beside the project is a source of the stack's secrets; what is in use comes from the stack alone.
      COMPOSE_DISABLE_ENV_FILE: "true",
      ...Object.fromEntries(given),
    };
    this.#redacted = redactor(given.map(([, value]) => value));
  }

  /** Runs `docker compose <args>` on the project's text; what it prints goes to standard error. Throws when it fails. */
  async run(args: readonly string[], text?: string): Promise<void> {
    const exitCode = await this.#exitCode(args, text);
    if (exitCode !== 0) throw failure(args, exitCode);
  }

  /** `docker compose down`; volumes stay. An empty network that Docker Engine does not let go stays, and is named. */
  async down(): Promise<void> {
    const args = ["down", "--remove-orphans"];
    let stale: string | undefined;
    const exitCode = await this.#exitCode(
      args,
      undefined,
      (line) => (stale ??= STALE_NETWORK.exec(line)?.[1]),
    );
    if (exitCode === 0) return;
    if (stale === undefined) throw failure(args, exitCode);
    this.say(
      [
        `Docker Engine does not remove the network ${stale}: it still counts a container that no longer exists.`,
        "It is empty and does no harm, and the next up reuses it.",
        `To remove it, restart Docker Engine, then: docker network rm ${stale}`,
      ].join("\n"),
    );
  }

  /** `docker compose up`, until what it starts is healthy. Throws when something does not become so. */
  async up(args: readonly string[], text: string): Promise<void> {
    await this.run(["up", ...WAIT, ...args], text);
  }

  /** Compose's hash of each service of the text; a container bears that of the service which it was made from. */
  async configHashes(text: string): Promise<Record<string, string>> {
    const args = this.#arguments(["config", "--hash=*"], text);
    const { stdout } = await execa("docker", args, this.#options(text));
    return Object.fromEntries(stdout.split("\n").map((line) => line.split(" ") as [string, string]));
  }

  /** What those of the containers that are not well wrote last. */
  async lastLinesOf(containers: readonly Container[]): Promise<string[]> {
    const unhealthy = containers.filter((container) => !isWell(container));
    return Promise.all(
      unhealthy.map(async (container) => {
        const args = ["logs", `--tail=${SHOWN_LINES}`, container.id];
        const { all } = await execa("docker", args, { all: true, reject: false });
        return `${container.service} is ${statusOf(container)}; last lines of its log:\n${this.#redacted(all)}`;
      }),
    );
  }

  say(line: string): void {
    process.stderr.write(`${printable(this.#redacted(line))}\n`);
  }

  /** Runs `docker compose`; `see` gets each line that it prints. */
  async #exitCode(
    args: readonly string[],
    text: string | undefined,
    see: (line: string) => void = () => undefined,
  ): Promise<number> {
    const options = { ...this.#options(text), all: true, buffer: false, reject: false } as const;
    const child = execa("docker", this.#arguments(args, text), options);
    for await (const line of child.iterable({ from: "all" })) {
      if (!isBeginning(line)) this.say(line);
      see(line);
    }
    const { exitCode, message } = await child;
    if (exitCode === undefined) throw new Error(this.#redacted(message ?? "docker was interrupted"));
    return exitCode;
  }

  #arguments(args: readonly string[], text: string | undefined): string[] {
    const file = text === undefined ? [] : ["--file=-"];
    const flags = [`--project-name=${this.#project}`, ...file, "--ansi=never", "--progress=plain"];
    return ["compose", ...flags, ...args];
  }

  #options(text = "") {
    return { input: text, env: this.#env, extendEnv: false } as const;
  }
}

function failure([verb]: readonly string[], exitCode: number): Error {
  return new Error(`docker compose ${verb} exited with code ${exitCode}.`);
}

/** That something began is left out: that it ended says enough. */
function isBeginning(line: string): boolean {
  return /(Creating|Starting|Waiting|Running|Recreate|Stopping|Removing|Skipped - .*)\s*$/.test(line);
}
