// `npm test [-- part …]`: the checks of the source, then each tier, what failed once more, and one line that counts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { execa } from "execa";
import { projectRoot } from "../infra/settings/sources.ts";
import { needProgram } from "../tools/setup/apt.ts";
import { ensureEngine } from "../tools/setup/engine.ts";
import { ensureCli } from "../tools/setup/pulumi-cli.ts";
import { goTool } from "../tools/setup/go-tool.ts";
import type { Log } from "../tools/setup/log.ts";
import { pulumiHome } from "../tools/setup/plugins.ts";
import { prepareCluster } from "./cluster/isolation.ts";
import { NODE_TOOLS } from "./cluster/node.ts";
import { prepareDocker } from "./docker/host.ts";
import { API_SERVER_TOOLS } from "./engine/api-server.ts";
import { prepareJudges } from "./manifests/judges.ts";
import { customResourceDefinitions } from "./manifests/schemas.ts";
import { type UsedClone, usedClone } from "./used-clone.ts";

interface Result {
  passed: number;
  skipped: number;
  /** What failed, and its error. */
  failures: string[];
  /** Seconds that each file took, by its path. */
  times: Record<string, number>;
}

const CHECKS: Record<string, readonly string[]> = {
  typecheck: ["tsc", "--noEmit"],
  lint: ["eslint", "."],
  format: ["prettier", "--check", "."],
  arrows: ["depcruise", "--config", ".dependency-cruiser.js", "cli", "ci", "infra", "stacks", "tools"],
  unused: ["knip", "--no-progress"],
  render: ["node", "cli/main.ts", "render", "--check"],
};
/** One after the other, but for two that wait most of their time. */
const TIERS = [["unit"], ["manifests"], ["engine"], ["docker", "cluster"]];

interface Surroundings {
  /** Comes before the command of the tests. */
  command?: readonly string[];
  /** What their environment has besides. */
  env?: Record<string, string>;
  /** The clone in which they run; absent: this project, with what the environment has. */
  clone?: UsedClone;
  /** Removes what was made ready. */
  takeBack?: () => void | Promise<void>;
}

/** What a tier needs that may take minutes, once: no test waits that long. */
const PREPARATIONS: Record<string, (log: Log) => Promise<Surroundings>> = {
  unit: async (log) => {
    await needProgram("gpg", "gnupg", log);
    await ensureCli(log);
    const clone = await usedClone({ asNobody: true });
    return { clone, takeBack: clone.remove };
  },
  manifests: async (log) => {
    await prepareJudges(log);
    const clone = await usedClone({ asNobody: false });
    return { clone, takeBack: clone.remove };
  },
  engine: async (log) => {
    await ensureEngine(["random", "command", "kubernetes"], log);
    for (const name of ["versitygw", ...API_SERVER_TOOLS] as const) await goTool(name, log);
    await customResourceDefinitions(log);
    return {};
  },
  docker: async (log) => {
    await ensureEngine(["random", "command"], log);
    return { takeBack: await prepareDocker(log) };
  },
  cluster: async (log) => {
    await ensureEngine(["random", "kubernetes"], log);
    if (process.env.TEST_KUBECONFIG) return {};
    for (const name of [...API_SERVER_TOOLS, ...NODE_TOOLS] as const) await goTool(name, log);
    await customResourceDefinitions(log);
    return prepareCluster(log);
  },
};
/** What vitest is told for one tier alone. */
const FLAGS: Record<string, readonly string[]> = {
  engine: ["--maxWorkers=2"],
  docker: ["--maxWorkers=2"],
  // Each of its tests is a whole run of `up`.
  cluster: ["--testTimeout=400000", "--hookTimeout=200000"],
};
/** Tiers that run the engine. */
const WITH_ENGINE = ["engine", "docker", "cluster"];
/** Lines of an error that the summary at the end repeats. */
const SHOWN_LINES = 10;

/** The path of a tool of the packages; any other name stands for Node itself. */
function program(name: string): string {
  const tool = join(projectRoot, "node_modules", ".bin", name);
  return existsSync(tool) ? tool : process.execPath;
}

/** A home of the engine with the plugins of the user's own, where a file stands in the place of the folder of logs. */
function homeWithoutLogs(home: string): string {
  const plugins = join(pulumiHome(), "plugins");
  mkdirSync(plugins, { recursive: true });
  mkdirSync(home);
  symlinkSync(plugins, join(home, "plugins"));
  writeFileSync(join(home, "logs"), "");
  return home;
}

async function check(name: string): Promise<Result> {
  const [tool, ...args] = CHECKS[name]!;
  const options = { cwd: projectRoot, stdin: "ignore", all: true, reject: false } as const;
  const { exitCode, all } = await execa(program(tool!), args, options);
  const times = {};
  if (exitCode === 0) return { passed: 1, skipped: 0, failures: [], times };
  const output = all.trimEnd().split("\n");
  return { passed: 0, skipped: 0, failures: [[name, ...output.slice(-SHOWN_LINES)].join("\n")], times };
}

/** The error of a test, without the part of its stack that is not this project's. */
function shortened(error: string): string {
  const lines = error.split("\n").filter((line) => !/^\s+at .*(node_modules|<anonymous>)/.test(line));
  return lines.slice(0, SHOWN_LINES).join("\n");
}

interface Report {
  success: boolean;
  numPassedTests: number;
  numPendingTests: number;
  numTodoTests: number;
  testResults: {
    name: string;
    message: string;
    startTime: number;
    endTime: number;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

/** Tiers side by side, once all are made ready. */
async function tiers(names: readonly string[]): Promise<Result[]> {
  const failed = (name: string, what: string, error: unknown): Result => ({
    passed: 0,
    skipped: 0,
    failures: [`${name}: ${what}\n${(error as Error).message}`],
    times: {},
  });
  const results: Result[] = [];
  const ready: [string, Surroundings][] = [];
  for (const name of names)
    try {
      ready.push([name, (await PREPARATIONS[name]?.((line) => process.stderr.write(`${line}\n`))) ?? {}]);
    } catch (error) {
      results.push(failed(name, "its set-up", error));
    }
  results.push(...(await Promise.all(ready.map(([name, surroundings]) => tests(name, surroundings)))));
  for (const [name, { takeBack }] of ready)
    try {
      await takeBack?.();
    } catch (error) {
      results.push(failed(name, "its clean-up", error));
    }
  return results;
}

async function tests(name: string, { command = [], env, clone }: Surroundings): Promise<Result> {
  const root = clone?.folder ?? projectRoot;
  const folder = mkdtempSync(join(tmpdir(), "rejourney-report-"));
  if (clone?.user !== undefined) chownSync(folder, clone.user.uid, clone.user.gid);
  const file = join(folder, "report.json");
  try {
    const args = [
      "run",
      `test/${name}/`,
      "--reporter=default",
      "--reporter=json",
      `--outputFile.json=${file}`,
      ...(FLAGS[name] ?? []),
    ];
    // Its progress goes to standard error: standard output is for what failed, and the count.
    const [first, ...others] = [...command, program("vitest"), ...args];
    const child = spawn(first!, others, {
      cwd: root,
      env: { ...(clone?.env ?? process.env), ...env },
      stdio: ["ignore", 2, 2],
      ...clone?.user,
    });
    const [status] = (await once(child, "exit")) as [number | null];
    if (!existsSync(file))
      return { passed: 0, skipped: 0, failures: [`${name}: vitest gave no report`], times: {} };
    const report = JSON.parse(readFileSync(file, "utf8")) as Report;
    const failures = report.testResults.flatMap(({ name: path, message, assertionResults }) => {
      const failed = assertionResults.filter(({ status }) => status === "failed");
      const told = failed.map(({ fullName, failureMessages }) => [fullName, failureMessages[0] ?? ""]);
      // A file that does not even load has no test to tell of.
      if (failed.length === 0 && message !== "") told.push(["did not load", message]);
      return told.map(([test, why]) => `${relative(root, path)}: ${test}\n${shortened(why!)}`);
    });
    // An error outside of any test; vitest has shown it above.
    if (failures.length === 0 && (status !== 0 || !report.success)) failures.push(`${name}: vitest failed`);
    return {
      passed: report.numPassedTests,
      skipped: report.numPendingTests + report.numTodoTests,
      failures,
      times: Object.fromEntries(
        report.testResults.map(({ name: path, startTime, endTime }) => [
          relative(root, path),
          (endTime - startTime) / 1000,
        ]),
      ),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const parts = [...Object.keys(CHECKS), ...TIERS.flat()];
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !parts.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`Unknown: ${unknown.join(", ")}. Known: ${parts.join(", ")}.\n`);
  process.exit(2);
}
// Of copies of this project that are soon gone, neither what Node has compiled nor the engine's logs are of use to
// anybody: every run logs up to 5 MB, which is a third of its processor time, and would push out the user's own logs.
const passing = mkdtempSync(join(tmpdir(), "rejourney-passing-"));
process.on("exit", () => rmSync(passing, { recursive: true, force: true }));
process.env.NODE_COMPILE_CACHE = join(passing, "compiled");
if (asked.length === 0 || asked.some((name) => WITH_ENGINE.includes(name)))
  process.env.PULUMI_HOME = homeWithoutLogs(join(passing, "pulumi"));
// Memory is not what the tests are short of: collected less often, a run of the engine takes a tenth less.
process.env.GOGC ??= "400";

const total: Result = { passed: 0, skipped: 0, failures: [], times: {} };
for (const stage of [Object.keys(CHECKS), ...TIERS]) {
  const names = stage.filter((name) => asked.length === 0 || asked.includes(name));
  if (names.length === 0) continue;
  process.stderr.write(`== ${names.join(" and ")}\n`);
  const results = await (names[0]! in CHECKS ? Promise.all(names.map(check)) : tiers(names));
  for (const { passed, skipped, failures, times } of results) {
    total.passed += passed;
    total.skipped += skipped;
    total.failures.push(...failures);
    Object.assign(total.times, times);
  }
}
const slowest = Object.entries(total.times).sort(([, a], [, b]) => b - a);
for (const [file, seconds] of slowest) process.stderr.write(`${seconds.toFixed(1).padStart(7)} s  ${file}\n`);
for (const failure of total.failures) process.stdout.write(`\nFAILED ${failure}\n`);
// The names once more: of many failures, the end of a log shows the last ones alone.
if (total.failures.length > 3)
  for (const failure of total.failures.slice(0, 15))
    process.stdout.write(`${failure.split("\n")[0]!.slice(0, 150)}\n`);
process.stdout.write(`\n${total.passed} passed, ${total.failures.length} failed, ${total.skipped} skipped\n`);
// A skipped test is one that did not run; where everything has to run, that is a failure.
const incomplete = total.passed === 0 || (process.env.CI === "true" && total.skipped > 0);
process.exitCode = total.failures.length > 0 || incomplete ? 1 : 0;
