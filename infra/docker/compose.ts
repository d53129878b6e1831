import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";

/** What `docker` needs to find its engine and its plugins. All else that a shell exports is no setting of the project. */
const PASSED_ON = /^(PATH|HOME|SSH_AUTH_SOCK|XDG_RUNTIME_DIR|DOCKER_.*)$/;
/** The shortest secret that is taken out of what is printed; less would tear every text apart. */
const REDACTED_LENGTH = 4;

/** `docker compose` on one project. Secrets reach it by its environment, and no line that it prints holds one. */
export class Compose {
  readonly #project: string;
  readonly #env: Record<string, string>;
  readonly #secrets: readonly string[];

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
    // The longest first, so that one inside another leaves no rest behind.
    this.#secrets = given
      .flatMap(([, value]) => [value, encodeURIComponent(value), JSON.stringify(value).slice(1, -1)])
      .filter((value) => value.length >= REDACTED_LENGTH)
      .sort((a, b) => b.length - a.length);
  }

  /** Runs `docker compose <args>` on the project's text; what it prints goes to standard error. Throws when it fails. */
  async run(args: readonly string[], text?: string): Promise<void> {
    const flags = [
      `--project-name=${this.#project}`,
      ...(text === undefined ? [] : ["--file=-"]),
      "--ansi=never",
      "--progress=plain",
    ];
    const child = execa("docker", ["compose", ...flags, ...args], {
      input: text ?? "",
      env: this.#env,
      extendEnv: false,
      all: true,
      buffer: false,
      reject: false,
    });
    for await (const line of child.iterable({ from: "all" })) if (!isBeginning(line)) this.say(line);
    const { exitCode, message } = await child;
    if (exitCode === undefined) throw new Error(this.#redacted(message ?? "docker was ended"));
    if (exitCode !== 0) throw new Error(`docker compose ${args[0]} ended with exit code ${exitCode}.`);
  }

  /** The last lines that a container wrote. */
  async lastLines(id: string, count: number): Promise<string> {
    const { all } = await execa("docker", ["logs", `--tail=${count}`, id], { all: true, reject: false });
    return this.#redacted(all);
  }

  say(line: string): void {
    process.stderr.write(`${this.#redacted(stripVTControlCharacters(line))}\n`);
  }

  #redacted(text: string): string {
    let clean = text;
    for (const secret of this.#secrets) clean = clean.replaceAll(secret, "[redacted]");
    return clean;
  }
}

/** That something began is left out: that it ended says enough. */
function isBeginning(line: string): boolean {
  return /(Creating|Starting|Waiting|Running|Recreate|Stopping|Removing|Skipped - .*)\s*$/.test(line);
}
