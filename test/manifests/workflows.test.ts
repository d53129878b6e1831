import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectRoot } from "../../infra/settings/sources.ts";
import { actionFaults } from "./judges.ts";

const workflows = join(projectRoot, ".github", "workflows");
const names = readdirSync(workflows);
const text = (name: string) => readFileSync(join(workflows, name), "utf8");

interface Workflow {
  permissions: Record<string, string>;
  concurrency?: { group: string };
  jobs: Record<string, Job>;
}
interface Job {
  permissions?: Record<string, string>;
  environment?: string;
  if?: string;
  needs?: string;
  "timeout-minutes"?: number;
  steps: { uses?: string; run?: string; env?: Record<string, string> }[];
}
const jobs = names.flatMap((name) =>
  Object.entries((parse(text(name)) as Workflow).jobs).map(([job, value]) => ({ name, job, value })),
);
const job = (name: string, of: string) =>
  jobs.find((entry) => entry.name === name && entry.job === of)!.value;

describe("the workflows", () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "rejourney-workflows-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("are what GitHub takes", async () => {
    expect(names.sort()).toEqual(["ci.yml", "deploy.yml", "preview-untrusted.yml", "preview.yml"]);
    expect(await actionFaults(names.map((name) => join(workflows, name)))).toEqual([]);
  });

  test.each([
    ["a context that is not there", "github.token", "github.tokens", /property "tokens" is not defined/],
    ["text of a stranger in a shell", "ci/preview.ts", "${{ github.head_ref }}", /potentially untrusted/],
  ])("with %s are found out", async (_, from, to, fault) => {
    const path = join(folder, "broken.yml");
    writeFileSync(path, text("preview.yml").replaceAll(from, to));
    const faults = await actionFaults([path]);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join("\n")).toMatch(fault);
  });

  test("use actions by commit, with the release beside it", () => {
    const used = names.flatMap((name) =>
      [...text(name).matchAll(/uses: (.*)/g)].map(([, action]) => action!),
    );
    expect(used.length).toBeGreaterThan(4);
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test("may do no more than they need, for no longer than they need", () => {
    for (const name of names)
      expect({ name, ...(parse(text(name)) as Workflow).permissions }).toEqual({ name, contents: "read" });
    const more = jobs.filter(({ value }) => value.permissions !== undefined);
    expect(more.map(({ name, value }) => [name, value.permissions])).toEqual(
      ["preview-untrusted.yml", "preview.yml"].map((name) => [
        name,
        { contents: "read", "pull-requests": "write" },
      ]),
    );
    for (const { name, value } of jobs) expect(value["timeout-minutes"], name).toBeLessThanOrEqual(90);
  });

  test("end no run of one another", () => {
    const groups = names.map((name) => (parse(text(name)) as Workflow).concurrency?.group ?? name);
    expect(groups.filter((group) => !/^ci-|github\.workflow|^deploy\.yml$/.test(group))).toEqual([]);
  });

  test("put nothing but names of variables into a shell", () => {
    const scripts = jobs.flatMap(({ value }) => value.steps.flatMap(({ run }) => run ?? []));
    expect(scripts.length).toBeGreaterThan(5);
    for (const script of scripts) expect(script).not.toContain("${{");
  });
});

test("ci runs the command of the README", () => {
  const scripts = job("ci.yml", "test").steps.flatMap(({ run }) => run ?? []);
  expect(scripts[0]).toMatch(/ npm test$/);
});

test("a pull request of a stranger gets no secret, and none of its code is run", () => {
  const { if: condition, steps } = job("preview-untrusted.yml", "preview");
  expect(text("preview-untrusted.yml")).not.toMatch(/\$\{\{[^}]*secrets/);
  expect(text("preview-untrusted.yml")).not.toMatch(/^\s+ref:/m);
  expect(steps.at(-1)!.env).toMatchObject({ UNTRUSTED: "true" });
  // Each pull request is one workflow's, and none both's.
  const other = job("preview.yml", "preview").if!;
  const halves = (expression: string) => expression.trim().split(/\s+(?:&&|\|\|)\s+/);
  expect(halves(condition!)).toEqual(
    halves(other).map((half) => half.replace(/[!=]=/, (is) => (is === "==" ? "!=" : "=="))),
  );
});

test("a deployment waits for its preview, and for the approval of its environment", () => {
  const deploy = job("deploy.yml", "deploy");
  expect(deploy).toMatchObject({ needs: "plan", environment: "${{ matrix.stack }}" });
  expect(job("deploy.yml", "plan").environment).toBeUndefined();
  const given = (name: string) =>
    Object.keys(Object.assign({}, ...job("deploy.yml", name).steps.map(({ env }) => env)) as object);
  // What can change the cluster is the environment's alone.
  expect(given("deploy")).toContain("KUBECONFIG_TEXT");
  expect(given("plan")).not.toContain("KUBECONFIG_TEXT");
});
