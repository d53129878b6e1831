import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../docker/host.ts";
import { goTool } from "../../tools/setup/go-tool.ts";
import { StandInGitHub } from "../github.ts";
import { ended, TestProject } from "../project.ts";
import { found } from "../search.ts";
import { GOOD } from "../unit/values.ts";

// A team: one machine brings the stack up, with its state in a bucket of a real S3 server; another previews a change.

const ACCESS = { AWS_ACCESS_KEY_ID: "AKIAOFTHESTATE", AWS_SECRET_ACCESS_KEY: "the-secret-key-of-the-state" };
const PASSPHRASE = "the passphrase of a team";

let deployer: TestProject;
let runner: TestProject;
let github: StandInGitHub;
let shared: NodeJS.ProcessEnv;
let stopS3: () => Promise<unknown>;

beforeAll(async () => {
  deployer = new TestProject();
  runner = new TestProject();
  github = await StandInGitHub.start();
  const port = await freePort();
  mkdirSync(deployer.path("s3", "state"), { recursive: true });
  const s3 = spawn(
    await goTool("versitygw", () => {}),
    ["--port", `127.0.0.1:${port}`, "posix", deployer.path("s3")],
    {
      stdio: "ignore",
      env: { ROOT_ACCESS_KEY: ACCESS.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: ACCESS.AWS_SECRET_ACCESS_KEY },
    },
  );
  const gone = new Promise((resolve) => s3.once("exit", resolve));
  stopS3 = () => (s3.kill("SIGKILL"), gone);
  shared = {
    ...ACCESS,
    PULUMI_BACKEND_URL: `s3://state?region=us-east-1&endpoint=http://127.0.0.1:${port}&s3ForcePathStyle=true`,
    PULUMI_CONFIG_PASSPHRASE: PASSPHRASE,
  };
  // Its answer, whatever it is, tells that it listens.
  const answers = () =>
    fetch(`http://127.0.0.1:${port}`).then(
      () => true,
      () => false,
    );
  while (s3.exitCode === null && !(await answers())) await new Promise((resolve) => setTimeout(resolve, 50));
});
afterAll(async () => {
  await stopS3();
  await github.stop();
  deployer.remove();
  runner.remove();
});

test("a stack in the shared backend is previewed from elsewhere; the others are compared", async () => {
  deployer.fakeDocker();
  runner.fakeDocker();
  for (const project of [deployer, runner]) {
    const settings = project.read("Pulumi.selfhosted.yaml");
    const release = settings.replace("config:\n", 'config:\n  rejourney:release: "1.4.0"\n');
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), release);
  }
  writeFileSync(deployer.path(".env"), `JWT_SECRET=${GOOD}\nSMTP_PASS=a-mail-password\n`, { mode: 0o600 });
  // As docs/architecture/ci-cd.md says: first here, then with all its secrets there.
  const local = { PULUMI_CONFIG_PASSPHRASE: PASSPHRASE };
  const verbs: [string[], NodeJS.ProcessEnv][] = [
    [["up"], local],
    [["pulumi", "stack", "export", "--stack", "selfhosted", "--file", "moved.json"], local],
    [["pulumi", "stack", "init", "selfhosted"], shared],
    [["pulumi", "stack", "import", "--stack", "selfhosted", "--file", "moved.json"], shared],
  ];
  for (const [args, env] of verbs) {
    const { status, stderr } = await deployer.rejourney(args, env);
    expect({ args, status, stderr }).toMatchObject({ args, status: 0 });
  }
  const moved = await deployer.rejourney(["preview"], shared);
  expect(moved.stdout).toMatch(/^\d+ unchanged$/m);
  expect(deployer.read("moved.json")).not.toContain("a-mail-password");

  const lock = {
    pid: 4711,
    username: "ops",
    hostname: "laptop",
    timestamp: new Date(Date.now() - 300_000).toISOString(),
  };
  const locks = ["s3", "state", ".pulumi", "locks", "organization", "rejourney", "selfhosted"];
  mkdirSync(deployer.path(...locks), { recursive: true });
  writeFileSync(deployer.path(...locks, "0f.json"), JSON.stringify(lock));
  const locked = await deployer.rejourney(["up"], shared);
  rmSync(deployer.path(...locks, "0f.json"));
  expect(locked.stderr).toMatch(
    /^ops on laptop \(process 4711\) has locked the state of the stack selfhosted since \S+, 5 minutes ago; nothing was changed\.\n {2}Fix: wait for that run; if it is no longer active: npm run pulumi -- cancel --yes --stack selfhosted$/m,
  );

  const shas = commits(runner, () => {
    const text = runner.read("Pulumi.selfhosted.yaml").replace("1.4.0", "1.5.0");
    writeFileSync(runner.path("Pulumi.selfhosted.yaml"), text);
    writeFileSync(runner.path("docker-compose.selfhosted.yml"), "changed: by hand\n");
  });
  const ran = await preview(runner, { ...shared, ...shas });
  expect(ran).toMatchObject({ status: 0, stderr: "" });
  expect(github.comments).toHaveLength(1);
  const [, prod, selfhosted] = github.comments[0]!.body.split(/^### /m);
  expect(prod).toContain("The state of this stack is not in the shared backend. This compares `k8s`.");
  expect(selfhosted).toMatch(/^selfhosted\n\n<details/);
  expect(selfhosted).toContain("~ rejourney-compose");
  expect(selfhosted).toMatch(/\+ +image: .*\/api:1\.5\.0/);
  expect(selfhosted).toContain("1 to update, ");
  const secrets = { ...ACCESS, PASSPHRASE, JWT_SECRET: GOOD, SMTP_PASS: "a-mail-password" };
  expect(
    found(secrets, [
      ["comment", github.comments[0]!.body],
      ["output", ran.stdout + ran.stderr],
    ]),
  ).toEqual([]);
});

test("a preview that fails is told in its place, and ends the run", async () => {
  const settings = runner.read("Pulumi.selfhosted.yaml");
  const shas = commits(runner, () =>
    writeFileSync(runner.path("Pulumi.selfhosted.yaml"), `${settings}  rejourney:httpPort: 99999\n`),
  );
  const { status } = await preview(runner, { ...shared, ...shas });
  expect(status).toBe(1);
  expect(github.comments).toHaveLength(1);
  expect(github.comments[0]!.body).toContain("**The preview failed:**");
  expect(github.comments[0]!.body).toContain("rejourney:httpPort is not a port number (1 to 65535).");
});

function preview(project: TestProject, env: NodeJS.ProcessEnv) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^PULUMI_(?!HOME$)/.test(name)),
  );
  return ended(
    spawn(process.execPath, [project.path("ci", "preview.ts")], {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...clean,
        PATH: `${project.path("bin")}:${process.env.PATH}`,
        DOCKER_HOST: `unix://${project.path("bin", "docker.sock")}`,
        GITHUB_API_URL: github.url,
        GITHUB_SERVER_URL: "https://github.example.com",
        GITHUB_REPOSITORY: "o/r",
        GITHUB_RUN_ID: "7",
        GITHUB_TOKEN: "a-token-of-the-run",
        PULL_REQUEST: "12",
        ...env,
      },
    }),
  );
}

/** Commits what is there, then a change; the two commits. */
function commits(project: TestProject, change: () => void): { BASE_SHA: string; HEAD_SHA: string } {
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], {
      cwd: project.folder,
      encoding: "utf8",
    }).trim();
  const commit = () => {
    git("add", "Pulumi.selfhosted.yaml", "docker-compose.selfhosted.yml");
    git("commit", "--quiet", "--allow-empty", "--message=a change");
    return git("rev-parse", "HEAD");
  };
  git("init", "--quiet");
  const base = commit();
  change();
  return { BASE_SHA: base, HEAD_SHA: commit() };
}
