import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";
import { commentOf, MARKER, withoutSecrets } from "../../ci/comment.ts";
import { writeComment } from "../../ci/github.ts";
import { StandInGitHub } from "../github.ts";
import { ended, type Ran } from "../project.ts";

const RUN = "https://github.example.com/o/r/actions/runs/7";

describe("the comment", () => {
  test("has a section for each stack, and says why one is not previewed", () => {
    const text = commentOf(
      [
        { stack: "prod", text: "+ a\n1 to create" },
        { stack: "selfhosted", note: "Because.", text: "" },
      ],
      RUN,
    );
    expect(text).toBe(
      `${MARKER}

## What this pull request changes

### prod

<details open><summary>2 lines</summary>

\`\`\`diff
+ a
1 to create
\`\`\`

</details>

### selfhosted

Because.

Nothing changes.`,
    );
  });

  test("fits into what GitHub takes: short texts whole, long ones by whole lines and alike", () => {
    const long = (mark: string) => Array.from({ length: 20_000 }, (_, i) => `${mark} line ${i}`).join("\n");
    const text = commentOf(
      [
        { stack: "one", text: long("one") },
        { stack: "two", text: "short" },
        { stack: "three", text: long("three") },
      ],
      RUN,
    );
    expect(text.length).toBeLessThan(65_536);
    expect(text.length).toBeGreaterThan(59_000);
    const blocks = [...text.matchAll(/```diff\n([^`]*)\n```/g)].map(([, block]) => block!);
    expect(blocks).toHaveLength(3);
    expect(blocks[1]).toBe("short");
    for (const [index, mark] of [
      [0, "one"],
      [2, "three"],
    ] as const) {
      expect(long(mark).startsWith(`${blocks[index]}\n`)).toBe(true);
      expect(blocks[index]!.length).toBeGreaterThan(29_900);
    }
    expect(text.split(`[the run](${RUN}) shows all of it`)).toHaveLength(3);
    expect(text).toContain("<summary>20000 lines</summary>");
  });

  test("cannot be left by what stands in it", () => {
    const text = commentOf([{ stack: "prod", text: "```\n</details>\n@everybody ````` [x](y)" }], RUN);
    const [, fence] = /\n(`+)diff\n/.exec(text)!;
    expect(fence).toBe("``````");
    expect(text.split(fence!)).toHaveLength(3);
  });

  test("holds no secret of the job that writes it", () => {
    const env = {
      PULUMI_CONFIG_PASSPHRASE: "correct horse battery",
      AWS_ACCESS_KEY_ID: "AKIAEXAMPLE",
      SHORT_TOKEN: "a",
      HOME: "/home/runner",
    };
    expect(withoutSecrets("a correct horse battery AKIAEXAMPLE /home/runner", env)).toBe(
      "a [redacted] [redacted] /home/runner",
    );
  });
});

describe("on GitHub", () => {
  let github: StandInGitHub;
  beforeAll(async () => void (github = await StandInGitHub.start()));
  afterAll(() => github.stop());
  const request = () => ({ api: github.url, repository: "o/r", number: "12", token: "a-token" });

  test("the comment is written once, and from then on in its place", async () => {
    const others = Array.from({ length: 150 }, (_, id) => ({ id, user: "somebody", body: "hello" }));
    // Who writes this has no business in ours.
    github.comments = [...others, { id: 900, user: "somebody", body: `${MARKER} mine` }];
    await writeComment(request(), `${MARKER}\none`);
    const [own] = github.comments.slice(-1);
    expect(own).toMatchObject({ user: "github-actions[bot]", body: `${MARKER}\none` });
    await writeComment(request(), `${MARKER}\ntwo`);
    expect(github.comments).toHaveLength(152);
    expect(github.comments.at(-1)).toEqual({ ...own, body: `${MARKER}\ntwo` });
    expect(github.comments.find(({ id }) => id === 900)!.body).toBe(`${MARKER} mine`);
    expect(github.calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "GET /repos/o/r/issues/12/comments?per_page=100&page=1",
      "GET /repos/o/r/issues/12/comments?per_page=100&page=2",
      "POST /repos/o/r/issues/12/comments",
      "GET /repos/o/r/issues/12/comments?per_page=100&page=1",
      "GET /repos/o/r/issues/12/comments?per_page=100&page=2",
      `PATCH /repos/o/r/issues/comments/${own!.id}`,
    ]);
    expect(new Set(github.calls.map(({ authorization }) => authorization))).toEqual(
      new Set(["Bearer a-token"]),
    );
  });

  test("a refusal ends the run, and says what is missing", async () => {
    github.refuses = true;
    await expect(writeComment(request(), MARKER)).rejects.toThrow(
      "GitHub answers 403 to GET /repos/o/r/issues/12/comments?per_page=100&page=1. Is pull-requests: write granted?",
    );
    github.refuses = false;
  });
});

describe("a pull request", () => {
  let folder: string;
  let github: StandInGitHub;
  const shas: Record<"base" | "head", string> = { base: "", head: "" };
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: folder,
      encoding: "utf8",
    }).trim();

  beforeAll(async () => {
    github = await StandInGitHub.start();
    folder = mkdtempSync(join(tmpdir(), "rejourney-preview-"));
    for (const part of [
      "ci",
      "cli",
      "infra",
      "tools",
      "stacks",
      "package.json",
      "package-lock.json",
      "Pulumi.yaml",
    ])
      cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
    for (const part of ["k8s", "docker-compose.selfhosted.yml", "Pulumi.prod.yaml", "Pulumi.selfhosted.yaml"])
      cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
    symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
    writeFileSync(join(folder, ".gitignore"), "node_modules\nsummary.md\n");
    git("init", "--quiet", "--initial-branch=main");
    git("add", "--all");
    git("commit", "--quiet", "--message=base");
    shas.base = git("rev-parse", "HEAD");
    const api = join(folder, "k8s", "04-api.yml");
    writeFileSync(api, readFileSync(api, "utf8").replace("cpu: 100m", "cpu: 300m"));
    writeFileSync(join(folder, "ci", "preview.ts"), "throw new Error('code of the fork has run');\n");
    git("commit", "--quiet", "--all", "--message=head");
    shas.head = git("rev-parse", "HEAD");
    // As the workflow does it: what runs is the base, and the pull request is there as commits alone.
    git("checkout", "--quiet", shas.base);
  });
  afterAll(async () => {
    await github.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  function run(env: NodeJS.ProcessEnv): Promise<Ran> {
    const script = join(folder, "ci", "preview.ts");
    const clean = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^PULUMI_(?!HOME$)/.test(name)),
    );
    return ended(
      spawn(process.execPath, [script], {
        stdio: ["ignore", "pipe", "pipe"],
        env: {
          ...clean,
          GITHUB_API_URL: github.url,
          GITHUB_SERVER_URL: "https://github.example.com",
          GITHUB_REPOSITORY: "o/r",
          GITHUB_RUN_ID: "7",
          GITHUB_TOKEN: "a-token-of-the-run",
          GITHUB_STEP_SUMMARY: join(folder, "summary.md"),
          PULL_REQUEST: "12",
          BASE_SHA: shas.base,
          HEAD_SHA: shas.head,
          ...env,
        },
      }),
    );
  }

  test.each([
    ["of a fork", { UNTRUSTED: "true", PULUMI_BACKEND_URL: "s3://state" }, "comes from a fork or a bot"],
    ["without a shared state", { PULUMI_BACKEND_URL: "" }, "is on a local disk"],
    ["with a state in a folder", { PULUMI_BACKEND_URL: "file:///tmp/x" }, "is on a local disk"],
  ])("%s is compared by its rendered files, and the comment says why", async (_, env, why) => {
    const { status, stderr } = await run(env);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(github.comments).toHaveLength(1);
    const [, prod, selfhosted] = github.comments[0]!.body.split(/^### /m);
    expect(prod).toMatch(/^prod\n/);
    expect(prod).toContain(why);
    expect(prod).toContain("This compares `k8s`.");
    expect(prod).toContain("\n-              cpu: 100m\n+              cpu: 300m\n");
    expect(selfhosted).toContain(why);
    expect(selfhosted).toContain("Nothing changes.");
    expect(readFileSync(join(folder, "summary.md"), "utf8")).toContain("    +              cpu: 300m");
  });

  test("with a backend that cannot be read ends with its message, and keeps the comment", async () => {
    const before = structuredClone(github.comments);
    const { status, stderr } = await run({ PULUMI_BACKEND_URL: "nothing://here" });
    expect(status).toBe(1);
    expect(stderr).toContain("The backend is unavailable:");
    expect(github.comments).toEqual(before);
  });
});
