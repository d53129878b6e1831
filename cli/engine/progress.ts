import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { structuredPatch } from "diff";
import { yamlText } from "../../infra/yaml.ts";

/** One resource that a run changes. */
export interface Change {
  /** What happens to it: `create`, `update`, `replace`, `delete`. */
  op: string;
  /** Its name. */
  resource: string;
  urn: string;
  /** For an update, the lines of its inputs that change, in the form of `diff -u`. A secret shows as `[secret]`. */
  lines: readonly string[];
  /**
   * True where nothing changes but what follows from the values of secrets, and of the variables beside them: those of
   * Secrets, readers of them, and ports that may be reached.
   */
  ofSecrets: boolean;
}

const OPERATIONS: Partial<Record<string, { op: string; sign: string }>> = {
  create: { op: "create", sign: "+" },
  update: { op: "update", sign: "~" },
  delete: { op: "delete", sign: "-" },
  replace: { op: "replace", sign: "±" },
};

// Messages of severity `debug` come unasked, with inputs in plain text.
const SHOWN = ["info", "info#err", "warning", "error"];

/** Of each stand-in on PATH, which `up` has named already; and of what is registered as not to be waited for. */
const NO_NEWS = /^using pulumi-\S+ from \$PATH at .*\/standins\/|^Skipping await logic$/;

/** Names of the hashes that show a changed secret: an annotation of pods, a variable of the Compose project's command. */
const HASH = /^(rejourney\.co\/secrets-hash|SECRETS_HASH_.*)$/;

/** Follows a run of the engine: shows it line by line, and keeps what it changes. */
export class Progress {
  readonly changes: Change[] = [];
  /** How many resources the run leaves and changes, once it has ended. */
  counts: Partial<Record<string, number>> = {};
  /** True once the engine has told an error. */
  failed = false;
  private readonly write: (line: string) => void;
  private readonly seen = new Set<string>();

  constructor(write: (line: string) => void) {
    this.write = write;
  }

  readonly onEvent = (event: EngineEvent): void => {
    const { diagnosticEvent, resourcePreEvent, resOutputsEvent, resOpFailedEvent, summaryEvent } = event;
    if (summaryEvent !== undefined) this.counts = summaryEvent.resourceChanges;
    const isNews = diagnosticEvent !== undefined && !NO_NEWS.test(diagnosticEvent.message);
    if (isNews && SHOWN.includes(diagnosticEvent.severity)) {
      this.failed ||= diagnosticEvent.severity === "error";
      this.say(diagnosticEvent.message, sourceOf(diagnosticEvent.urn));
    }
    if (resourcePreEvent !== undefined) this.keep(resourcePreEvent.metadata);
    const done = resOutputsEvent ?? resOpFailedEvent;
    if (done === undefined || resOutputsEvent?.planning === true) return;
    const operation = OPERATIONS[done.metadata.op];
    if (operation !== undefined && !done.metadata.type.startsWith("pulumi:providers:"))
      this.say(
        `${operation.sign} ${nameOf(done.metadata.urn)}${resOpFailedEvent === undefined ? "" : " failed"}`,
      );
  };

  private keep({
    op,
    urn,
    type,
    old,
    new: next,
  }: NonNullable<EngineEvent["resourcePreEvent"]>["metadata"]): void {
    const operation = OPERATIONS[op];
    if (operation === undefined || type.startsWith("pulumi:providers:")) return;
    const [before = {}, after = {}] = [old?.inputs, next?.inputs];
    const lines = op === "update" ? changedLines(before, after) : [];
    const ofSecrets =
      type === "kubernetes:core/v1:Secret" ||
      (op === "update" && (type.endsWith(":NetworkPolicy") || unbound(before) === unbound(after)));
    this.changes.push({ op: operation.op, resource: nameOf(urn), urn, lines, ofSecrets });
  }

  /** Each line once: a command's error repeats all that it said before. */
  private say(text: string, source = ""): void {
    for (const line of text.replaceAll(/<\{%[^%]*%\}>/g, "").split("\n")) {
      const clean = line.trim() === "" ? "" : source + line.trimEnd();
      if (clean === "" || this.seen.has(clean)) continue;
      this.seen.add(clean);
      this.write(`  ${clean}`);
    }
  }
}

/** A change as text: a sign, the resource, and below it the lines that change. */
export function shown({ op, resource, lines }: Change): string {
  const sign = Object.values(OPERATIONS).find((operation) => operation?.op === op)!.sign;
  return [`${sign} ${resource}`, ...lines.map((line) => `    ${line}`)].join("\n");
}

/** How many resources a run leaves and changes, such as `1 to update, 24 unchanged`. */
export function summary(counts: Partial<Record<string, number>>, done: boolean): string {
  const { same = 0, ...changed } = counts;
  const past: Record<string, string> = {
    create: "created",
    update: "updated",
    replace: "replaced",
    delete: "deleted",
  };
  const parts = Object.entries(changed).map(
    ([op, count]) => `${count} ${done ? (past[op] ?? op) : `to ${op}`}`,
  );
  return [...parts, `${same} unchanged`].join(", ");
}

/** What stands before a message about an object of a cluster, since many are worked on at once. */
function sourceOf(urn = ""): string {
  return urn.includes("kubernetes:") ? `${nameOf(urn)}: ` : "";
}

function nameOf(urn: string): string {
  return urn.split("::").at(-1)!;
}

type Inputs = Record<string, unknown>;

/**
 * Inputs as text, but for what follows from `.env`: the hashes by which a changed secret restarts its readers, and the
 * values of variables in a Compose project.
 */
function unbound(inputs: Inputs): string {
  const text = JSON.stringify(inputs, (name, value: unknown) => (HASH.test(name) ? undefined : value));
  return text.replaceAll(/\$\{(\w+):-[^}]*\}/g, "${$1}");
}

/** The inputs that differ; objects one level deep, since an environment holds a text for each service. */
function changedLines(before: Inputs, after: Inputs): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.flatMap((name) => {
    const [old, next] = [before[name], after[name]];
    if (JSON.stringify(old) === JSON.stringify(next)) return [];
    if (isObject(old) && isObject(next)) return changedLines(old, next);
    const { hunks } = structuredPatch(name, name, asText(old), asText(next), "", "", { context: 1 });
    return [`${name}:`, ...hunks.flatMap(({ lines }) => lines.filter((line) => !line.startsWith("\\")))];
  });
}

function isObject(value: unknown): value is Inputs {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function asText(value: unknown): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : yamlText(value).trimEnd();
}
