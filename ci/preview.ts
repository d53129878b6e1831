// What a pull request would change, as one comment and in the run's summary. A stack whose state this run can reach is
// previewed; of any other the rendered files are compared, and the comment says why. Exit 1 when a preview fails.
import { appendFileSync, readdirSync } from "node:fs";
import { execa } from "execa";
import { stateFolder } from "../cli/state/folder.ts";
import { printable } from "../infra/printable.ts";
import { projectRoot } from "../infra/settings/sources.ts";
import { commentOf, type Section, withoutSecrets } from "./comment.ts";
import { writeComment } from "./github.ts";

/** The files that are rendered of a committed stack. */
const RENDERED: Record<string, string> = { prod: "k8s", selfhosted: "docker-compose.selfhosted.yml" };
/** Lines of a failed preview's messages that are shown. */
const SHOWN_LINES = 20;

const { env } = process;
const cli = (...args: string[]) =>
  execa(process.execPath, ["cli/main.ts", ...args], { cwd: projectRoot, reject: false });

/** Why no stack can be previewed here; undefined when some can. */
function reasonForAll(): string | undefined {
  if (env.UNTRUSTED === "true") return "This pull request comes from a fork or a bot, so it gets no secrets";
  if (stateFolder() !== undefined)
    return "The state of this stack is on a local disk (PULUMI_BACKEND_URL names no shared backend)";
  return undefined;
}

/** The stacks of the shared backend. */
async function sharedStacks(): Promise<string[]> {
  const { exitCode, stdout, stderr } = await cli("pulumi", "stack", "ls", "--json");
  if (exitCode !== 0) throw new Error(printable(`The backend is unavailable:\n${stderr}`));
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name.split("/").at(-1)!);
}

async function preview(stack: string): Promise<Section & { failed: boolean }> {
  const { exitCode, stdout, stderr } = await cli("preview", "--stack", stack);
  if (exitCode === 0) return { stack, text: stdout.trim(), failed: false };
  const text = stderr.trimEnd().split("\n").slice(-SHOWN_LINES).join("\n");
  return { stack, note: "**The preview failed:**", text, failed: true };
}

async function compared(stack: string, reason: string): Promise<Section & { failed: boolean }> {
  const rendered = RENDERED[stack];
  if (rendered === undefined)
    return {
      stack,
      note: `${reason}, and no rendered file of this stack is committed.`,
      text: "",
      failed: false,
    };
  const range = `${env.BASE_SHA}...${env.HEAD_SHA}`;
  const { stdout } = await execa(
    "git",
    ["diff", "--no-color", "--no-ext-diff", "--no-textconv", range, "--", rendered],
    { cwd: projectRoot },
  );
  return { stack, note: `${reason}. This compares \`${rendered}\`.`, text: stdout.trim(), failed: false };
}

const stacks = readdirSync(projectRoot)
  .flatMap((name) => /^Pulumi\.([\w-]+)\.yaml$/.exec(name)?.[1] ?? [])
  .sort();
const reason = reasonForAll();
const shared = reason === undefined ? await sharedStacks() : [];
const sections: (Section & { failed: boolean })[] = [];
for (const stack of stacks)
  sections.push(
    shared.includes(stack)
      ? await preview(stack)
      : await compared(stack, reason ?? "The state of this stack is not in the shared backend"),
  );

const clean = sections.map((section) => ({ ...section, text: withoutSecrets(section.text, env) }));
const run = `${env.GITHUB_SERVER_URL}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
if (env.GITHUB_STEP_SUMMARY !== undefined)
  for (const { stack, text } of clean)
    appendFileSync(env.GITHUB_STEP_SUMMARY, `## ${stack}\n\n${indented(text)}\n`);
await writeComment(
  {
    api: env.GITHUB_API_URL!,
    repository: env.GITHUB_REPOSITORY!,
    number: env.PULL_REQUEST!,
    token: env.GITHUB_TOKEN!,
  },
  commentOf(clean, run),
);
process.exitCode = sections.some(({ failed }) => failed) ? 1 : 0;

/** As a code block that nothing in the text can end. */
function indented(text: string): string {
  return (text === "" ? "Nothing changes." : text).replaceAll(/^/gm, "    ");
}
