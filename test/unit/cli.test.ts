import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "dotenv";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GENERATED_SECRETS } from "../../infra/app/secrets.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import { GOOD } from "./values.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** `rejourney …` as a process of its own, in the folder of `project`. */
function rejourney(args: readonly string[], project = projectRoot) {
  const cli = join(project, "cli", "rejourney.mjs");
  const { status, stdout, stderr } = spawnSync(cli, args, { cwd: folder, encoding: "utf8" });
  return { status, stdout, stderr };
}

function envFile(text: string, mode = 0o600): string {
  const path = join(folder, ".env");
  writeFileSync(path, text, { mode });
  chmodSync(path, mode);
  return path;
}

/** A copy of this project, which a test may change. */
function copy(): string {
  const project = join(folder, "project");
  for (const part of ["cli", "infra", "tools", "package.json", "package-lock.json"])
    cpSync(join(projectRoot, part), join(project, part), { recursive: true });
  for (const file of ["docker-compose.selfhosted.yml", "k8s", "Pulumi.selfhosted.yaml", "Pulumi.prod.yaml"])
    cpSync(join(projectRoot, file), join(project, file), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(project, "node_modules"));
  return project;
}

describe("secrets check", () => {
  test("tells of each secret, and shows none", () => {
    const path = envFile(`JWT_SECRET=${GOOD}\nTHEME=dark\n`);
    const { status, stdout, stderr } = rejourney(["secrets", "check", "--env-file", path]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^JWT_SECRET +good$/m);
    expect(stdout).toMatch(/^STORAGE_ENCRYPTION_KEY +absent, will be generated$/m);
    expect(stdout).toMatch(/^SMTP_PASS +absent, optional$/m);
    expect(stderr).toBe("Warning: THEME (.env line 2) is unknown and is not used.\n");
    expect(stdout + stderr).not.toContain(GOOD);
  });

  test("leaves what the stack's file holds encrypted to the engine", () => {
    const project = copy();
    const stack = "config:\n  rejourney:target: docker\n  rejourney:JWT_SECRET:\n    secure: v1:abc:def\n";
    writeFileSync(join(project, "Pulumi.selfhosted.yaml"), stack);
    const { status, stdout } = rejourney(["secrets", "check"], project);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^JWT_SECRET +encrypted, checked during up$/m);
  });

  test.each([
    ["config: [", "Pulumi.selfhosted.yaml is not valid YAML (line 1)."],
    ["other: 1", "Pulumi.selfhosted.yaml has no settings below `config:`."],
    [
      "config:\n  target: docker\n  domian: r.example.com\n",
      "rejourney:domian is unknown (did you mean domain?).",
    ],
    [
      "config:\n  rejourney:target: docker\n  rejourny:domain: r.example.com\n",
      "rejourny:domain is unknown (did you mean rejourney:domain?).\n    Fix: rename it to rejourney:domain in Pulumi.selfhosted.yaml, or remove it",
    ],
    [
      "config:\n  rejourney:target: docker\n  rejourney:httpPort: 020000\n",
      "Pulumi.selfhosted.yaml line 3 has a number with a leading zero, a time or a date, which Pulumi reads as another value.",
    ],
    [
      "config:\n  rejourney:target: docker\n  rejourney:httpPort: 1\n  httpPort: 2\n",
      "httpPort repeats rejourney:httpPort.",
    ],
  ])("of a stack's file that cannot be read: %s", (text, message) => {
    const project = copy();
    writeFileSync(join(project, "Pulumi.selfhosted.yaml"), text);
    const { status, stderr } = rejourney(["secrets", "check"], project);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
  });

  test("bears a reader that goes away", () => {
    const cli = join(projectRoot, "cli", "rejourney.mjs");
    const script = `set -o pipefail; "${cli}" secrets check --env-file "${envFile("")}" | true`;
    const { status, stderr } = spawnSync("bash", ["-c", script], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test("as JSON", () => {
    const { status, stdout } = rejourney([
      "secrets",
      "check",
      "--json",
      "--env-file",
      envFile(`JWT_SECRET=${GOOD}`),
    ]);
    expect(status).toBe(0);
    const { secrets, warnings } = JSON.parse(stdout) as { secrets: unknown[]; warnings: string[] };
    expect(secrets).toContainEqual({ name: "JWT_SECRET", status: "good" });
    expect(warnings).toEqual([]);
  });

  test("of a bad file: one message, exit code 1, no value, no stack trace", () => {
    const text = `STORAGE_ENCRYPTION_KEY=\nJWT_SECRET=hunter2\nJWT_SECRT=hunter2\nPUBLIC_API_URL=hunter2\n`;
    const { status, stdout, stderr } = rejourney(["secrets", "check", "--env-file", envFile(text)]);
    expect(status).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/^4 problems in the settings; nothing was changed\.\n {2}JWT_SECRT is unknown/);
    expect(stderr.split("\n")).toHaveLength(1 + 2 * 4 + 1);
    expect(stderr).not.toContain("hunter2");
    expect(stderr).not.toMatch(/^ {4}at /m);
    expect(readFileSync(join(folder, ".env"), "utf8")).toBe(text);
  });

  test.each([
    [["--env-file", "nowhere.env"], "nowhere.env does not exist."],
    [["--env-file", "."], "cannot be read (EISDIR)."],
    [["--stack", "nowhere"], "Pulumi.nowhere.yaml does not exist."],
  ])("with %j fails by a clear message", (args, message) => {
    const { status, stderr } = rejourney(["secrets", "check", ...args]);
    expect(status).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/^ {4}at /m);
  });
});

describe("secrets generate", () => {
  test("makes a file with all that is needed, which passes the check", () => {
    const path = join(folder, ".env");
    const { status, stdout, stderr } = rejourney(["secrets", "generate", "--env-file", path]);
    expect(status).toBe(0);
    expect(Object.keys(parse(readFileSync(path)))).toEqual(GENERATED_SECRETS);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual([".env"]);
    expect(rejourney(["secrets", "check", "--env-file", path]).status).toBe(0);
    for (const value of Object.values(parse(readFileSync(path))))
      expect(stdout + stderr).not.toContain(value);
  });

  test("fills what is missing in its place, and leaves all else as it is", () => {
    const before = [
      "# mine",
      "STORAGE_ENCRYPTION_KEY= # the bucket keys",
      "",
      `export JWT_SECRET='${GOOD}'   # keep`,
      "NOTE='",
      "JWT_SIGNING_KEY=",
      "'",
      'REDIS_PASSWORD=""',
      "SMTP_HOST=mail.example.com",
    ].join("\n");
    const path = envFile(before, 0o644);
    expect(rejourney(["secrets", "generate", "--env-file", path]).status).toBe(0);
    const lines = readFileSync(path, "utf8").split("\n");
    expect(lines[1]).toMatch(/^STORAGE_ENCRYPTION_KEY=[0-9a-f]{64} # the bucket keys$/);
    expect(lines[7]).toMatch(/^REDIS_PASSWORD=[0-9a-f]{48}$/);
    const kept = before.split("\n");
    for (const at of [0, 2, 3, 4, 5, 6, 8]) expect(lines[at]).toBe(kept[at]);
    expect(lines.slice(9).map((line) => line.split("=")[0])).toEqual([
      "POSTGRES_PASSWORD",
      "JWT_SIGNING_KEY",
      "INGEST_HMAC_SECRET",
      "S3_ACCESS_KEY_ID",
      "S3_SECRET_ACCESS_KEY",
      "",
    ]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("leaves an owner and a group that may read, and warns where everybody may", () => {
    const path = envFile("SMTP_HOST=mail.example.com\n", 0o640);
    if (process.getuid!() === 0) chownSync(path, 65534, 65534);
    const owner = statSync(path).uid;
    expect(rejourney(["secrets", "generate", "--env-file", path]).status).toBe(0);
    expect(statSync(path)).toMatchObject({ uid: owner, mode: 0o100640 });
    expect(rejourney(["secrets", "check", "--env-file", path]).stderr).not.toContain("other users");
    chmodSync(path, 0o644);
    expect(rejourney(["secrets", "check", "--env-file", path]).stderr).toContain(
      `Warning: other users of this machine can read ${path}: chmod 600 ${path}\n`,
    );
  });

  test("a second time changes nothing but a mode that is too open", () => {
    const path = join(folder, ".env");
    rejourney(["secrets", "generate", "--env-file", path]);
    const { ino, mtimeMs } = statSync(path);
    chmodSync(path, 0o644);
    const { status, stderr } = rejourney(["secrets", "generate", "--env-file", path]);
    expect([status, stderr]).toEqual([0, "Nothing is missing.\n"]);
    expect(statSync(path)).toMatchObject({ ino, mtimeMs });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test.each([
    ["the .env", "S3_ENDPOINT=https://s3.example.com\n", ""],
    ["the stack's file", "", "  rejourney:variables: { S3_ENDPOINT: https://s3.example.com }\n"],
  ])("leaves the keys of an external S3 to its provider when %s names one", (_, env, variables) => {
    const project = copy();
    writeFileSync(
      join(project, "Pulumi.selfhosted.yaml"),
      `config:\n  rejourney:target: docker\n${variables}`,
    );
    const { stdout } = rejourney(["secrets", "generate", "--json", "--env-file", envFile(env)], project);
    expect((JSON.parse(stdout) as { added: string[] }).added).toEqual(
      GENERATED_SECRETS.filter((name) => !name.startsWith("S3_")),
    );
  });

  test("keeps a link a link, and Windows line breaks", () => {
    mkdirSync(join(folder, "real"));
    const target = join(folder, "real", "env");
    writeFileSync(target, "SMTP_HOST=mail.example.com\r\nJWT_SECRET=\r\n");
    symlinkSync(target, join(folder, ".env"));
    expect(rejourney(["secrets", "generate", "--env-file", join(folder, ".env")]).status).toBe(0);
    expect(lstatSync(join(folder, ".env")).isSymbolicLink()).toBe(true);
    expect(readFileSync(target, "utf8")).toMatch(
      /^SMTP_HOST=mail\.example\.com\r\nJWT_SECRET=[0-9a-f]{64}\r\nPOSTGRES_/,
    );
    expect(readFileSync(target, "utf8")).not.toMatch(/[^\r]\n/);
  });

  test("removes what a killed run left, and nothing of one that still runs", () => {
    const path = envFile("");
    const dead = spawnSync("true").pid;
    for (const pid of [dead, process.pid]) writeFileSync(`${path}.${pid}.partial`, "A=1");
    expect(rejourney(["secrets", "generate", "--env-file", path]).status).toBe(0);
    expect(readdirSync(folder).sort()).toEqual([".env", `.env.${process.pid}.partial`]);
  });

  test("of a file that cannot be written leaves it as it was, and says so", () => {
    const path = join(folder, "no such folder", ".env");
    const { status, stderr } = rejourney(["secrets", "generate", "--env-file", path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Cannot write .*no such folder.*: ENOENT/);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of a file that would be misread changes nothing", () => {
    const path = envFile("JWT_SECRET=abc#def\n");
    const { status, stderr } = rejourney(["secrets", "generate", "--env-file", path]);
    expect(status).toBe(1);
    expect(stderr).toContain(".env line 1 (JWT_SECRET) has a # without quotes");
    expect(readFileSync(path, "utf8")).toBe("JWT_SECRET=abc#def\n");
  });
});

describe("of a cluster", () => {
  const external = "  rejourney:external: { postgres: { host: db.example.com } }\n";

  test("check and generate leave out what another party makes", () => {
    const project = copy();
    writeFileSync(
      join(project, "Pulumi.prod.yaml"),
      readFileSync(join(project, "Pulumi.prod.yaml"), "utf8") + external,
    );
    const { stdout } = rejourney(["secrets", "check", "--stack", "prod"], project);
    expect(stdout).toMatch(/^POSTGRES_PASSWORD +absent, required unless the stack has it$/m);
    expect(stdout).toMatch(/^S3_ACCESS_KEY_ID +absent, optional$/m);
    expect(stdout).toMatch(/^REDIS_PASSWORD +absent, will be generated$/m);
    expect(rejourney(["secrets", "generate", "--stack", "prod"], project).status).toBe(0);
    const names = readFileSync(join(project, ".env"), "utf8").match(/^\w+(?==)/gm);
    expect(names).toEqual([
      "REDIS_PASSWORD",
      "JWT_SECRET",
      "JWT_SIGNING_KEY",
      "INGEST_HMAC_SECRET",
      "STORAGE_ENCRYPTION_KEY",
    ]);
  });
});

describe("wrong use", () => {
  test.each([[["nonsense"]], [["secrets", "check", "--nonsense"]], [["secrets"]]])(
    "%j: exit code 2",
    (args) => {
      const { status, stdout, stderr } = rejourney(args);
      expect(status).toBe(2);
      expect(stdout).toBe("");
      expect(stderr).toContain("Usage: rejourney");
    },
  );
});

test.each([[[]], [["prod"]], [["--dry-run", "prod", ".env"]], [["prod", ".env", "--nonsense"]]])(
  "k8s-sync-secrets.sh %j: exit code 2",
  (args) => {
    const script = join(projectRoot, "scripts/k8s/k8s-sync-secrets.sh");
    const { status, stdout, stderr } = spawnSync(script, args, { cwd: folder, encoding: "utf8" });
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Usage: ");
  },
);

describe("render", () => {
  test("of a worker whose memory is changed in the catalogue changes exactly one line", () => {
    const project = copy();
    const compose = join(project, "docker-compose.selfhosted.yml");
    const before = readFileSync(compose, "utf8").split("\n");
    expect(rejourney(["render", "--check"], project)).toMatchObject({ status: 0 });

    const catalogue = join(project, "infra", "app", "catalogue.ts");
    const source = readFileSync(catalogue, "utf8");
    expect(source.split("memoryMiB: 768")).toHaveLength(2);
    writeFileSync(catalogue, source.replace("memoryMiB: 768", "memoryMiB: 1024"));
    const check = rejourney(["render", "--check"], project);
    expect(check.status).toBe(1);
    expect(check.stderr).toBe(
      "Out of date: docker-compose.selfhosted.yml, k8s/00-namespace.yml, k8s/05-ingest-worker.yml. Fix: npm run render\n",
    );
    expect(readFileSync(compose, "utf8")).toBe(before.join("\n"));

    expect(rejourney(["render"], project).status).toBe(0);
    const after = readFileSync(compose, "utf8").split("\n");
    expect(after).toHaveLength(before.length);
    expect(after.flatMap((line, i) => (line === before[i] ? [] : [[before[i], line]]))).toEqual([
      ["    mem_limit: 768m", "    mem_limit: 1024m"],
    ]);
    expect(rejourney(["render", "--check"], project).status).toBe(0);
  });

  test("of a worker that is added to the catalogue changes no other file of the program", () => {
    const project = copy();
    const catalogue = join(project, "infra", "app", "catalogue.ts");
    const entry =
      '  { ...WORKER, name: "export-worker", command: ["node", "dist/worker/exportWorker.js"] },\n';
    const [before, after] = readFileSync(catalogue, "utf8").split(/(?<=^.*name: "retention-worker".*\n)/m);
    writeFileSync(catalogue, before! + entry + after!);
    const { status, stderr } = rejourney(["render"], project);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: "Wrote docker-compose.selfhosted.yml, k8s/00-namespace.yml, k8s/05-export-worker.yml.\n",
    });
    const worker = readFileSync(join(project, "k8s", "05-export-worker.yml"), "utf8");
    expect(worker.match(/^kind: .*/gm)).toEqual([
      "kind: ServiceAccount",
      "kind: Deployment",
      "kind: PodDisruptionBudget",
    ]);
    expect(worker).toContain("dist/worker/exportWorker.js");
    expect(readFileSync(join(project, "docker-compose.selfhosted.yml"), "utf8")).toContain(
      "\n  export-worker:\n",
    );

    // And one that goes leaves no file that kubectl would still apply; what somebody else has written stays.
    writeFileSync(join(project, "k8s", "99-own.yml"), "kind: ConfigMap\n");
    writeFileSync(catalogue, before! + after!);
    expect(rejourney(["render", "--check"], project)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("k8s/05-export-worker.yml") as string,
    });
    expect(rejourney(["render"], project).stderr).toContain("Removed k8s/05-export-worker.yml.");
    expect(existsSync(join(project, "k8s", "99-own.yml"))).toBe(true);
    expect(rejourney(["render", "--check"], project).status).toBe(0);
  });

  test("follows the stack's settings, and not the .env of whoever renders", () => {
    const project = copy();
    writeFileSync(join(project, ".env"), "SMTP_HOST=mine.example.com\n");
    expect(rejourney(["render", "--check"], project).status).toBe(0);
    writeFileSync(
      join(project, "Pulumi.selfhosted.yaml"),
      "config:\n  rejourney:target: docker\n  rejourney:domain: r.example.com\n  rejourney:acmeEmail: a@example.com\n",
    );
    expect(rejourney(["render"], project).status).toBe(0);
    expect(readFileSync(join(project, "docker-compose.selfhosted.yml"), "utf8")).toContain(
      "Host(`api.r.example.com`)",
    );
  });

  test("of a stack with a bad setting writes nothing", () => {
    const project = copy();
    writeFileSync(
      join(project, "Pulumi.selfhosted.yaml"),
      "config: {rejourney:target: docker, rejourney:domain: x}\n",
    );
    rmSync(join(project, "docker-compose.selfhosted.yml"));
    const { status, stderr } = rejourney(["render"], project);
    expect(status).toBe(1);
    expect(stderr).toContain("rejourney:domain is not a host name such as rejourney.example.com.");
    expect(existsSync(join(project, "docker-compose.selfhosted.yml"))).toBe(false);
  });
});
