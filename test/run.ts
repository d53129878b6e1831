// `npm test [-- part …]`: the checks of the source, then each tier, what failed once more, and one line that counts.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "../infra/settings/sources.ts";

interface Result {
  passed: number;
  skipped: number;
  /** What failed, and its error. */
  failures: string[];
}

const CHECKS: Record<string, readonly string[]> = {
  typecheck: ["tsc", "--noEmit"],
  lint: ["eslint", "."],
  format: ["prettier", "--check", "."],
  render: ["node", "cli/main.ts", "render", "--check"],
};
const TIERS = ["unit"];
/** Lines of an error that the summary at the end repeats. */
const SHOWN_LINES = 12;

function run([name, ...args]: readonly string[]) {
  const tool = join(projectRoot, "node_modules", ".bin", name!);
  const command = existsSync(tool) ? tool : process.execPath;
  return spawnSync(command, args, { cwd: projectRoot, encoding: "utf8", maxBuffer: 2 ** 26 });
}

function check(name: string): Result {
  const { status, stdout, stderr, error } = run(CHECKS[name]!);
  if (status === 0) return { passed: 1, skipped: 0, failures: [] };
  const output = `${stdout ?? ""}${stderr ?? ""}${error?.message ?? ""}`.trimEnd();
  return {
    passed: 0,
    skipped: 0,
    failures: [`${name}\n${output.split("\n").slice(-SHOWN_LINES).join("\n")}`],
  };
}

interface Report {
  success: boolean;
  numPassedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

function tier(name: string): Result {
  const folder = mkdtempSync(join(tmpdir(), "rejourney-report-"));
  const file = join(folder, "report.json");
  try {
    const args = [
      "run",
      `test/${name}/`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
    ];
    const { stdout, stderr } = run(["vitest", ...args]);
    process.stderr.write(`${stdout}${stderr}`);
    if (!existsSync(file)) return { passed: 0, skipped: 0, failures: [`${name}: vitest gave no report`] };
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const failures = report.testResults.flatMap(({ name: path, message, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === "failed");
      const told = failed.map(({ fullName, failureMessages }) => [fullName, failureMessages[0] ?? ""]);
      // A file that does not even load has no test to tell of.
      if (failed.length === 0 && message !== "") told.push(["did not load", message]);
      return told.map(
        ([test, why]) => `${path}: ${test}\n${why!.split("\n").slice(0, SHOWN_LINES).join("\n")}`,
      );
    });
    if (!report.success && failures.length === 0) failures.push(`${name}: vitest failed`);
    return {
      passed: report.numPassedTests,
      skipped: report.numPendingTests + report.numTodoTests,
      failures,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const parts = [...Object.keys(CHECKS), ...TIERS];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !parts.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`Unknown: ${unknown.join(", ")}. Known: ${parts.join(", ")}.\n`);
  process.exit(2);
}
const total: Result = { passed: 0, skipped: 0, failures: [] };
for (const name of asked.length > 0 ? asked : parts) {
  process.stderr.write(`== ${name}\n`);
  const { passed, skipped, failures } = name in CHECKS ? check(name) : tier(name);
  total.passed += passed;
  total.skipped += skipped;
  total.failures.push(...failures);
}
for (const failure of total.failures) process.stdout.write(`\nFAILED ${failure}\n`);
process.stdout.write(`\n${total.passed} passed, ${total.failures.length} failed, ${total.skipped} skipped\n`);
// A skipped test is one that did not run; where everything has to run, that is a failure.
const incomplete = total.passed === 0 || (process.env.CI === "true" && total.skipped > 0);
process.exitCode = total.failures.length > 0 || incomplete ? 1 : 0;
