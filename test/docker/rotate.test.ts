import { statSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "dotenv";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openKeyRef, sealKeyRef } from "../../infra/storage/key-ref.ts";
import { ended, TestProject } from "../project.ts";
import { found } from "../search.ts";
import { containers, docker, freePort, removeAll, testName, writeSettings } from "./host.ts";

// `rejourney secrets rotate` on a real Docker Engine, with a real PostgreSQL and the sample application at its work.

const ROWS = 10_000;
const KEY = "STORAGE_ENCRYPTION_KEY";

const name = testName();
let project: TestProject;
let port = 0;
let reading: Reading;
/** Every value that a secret has had. */
const known: Record<string, string> = {};

beforeAll(async () => {
  project = new TestProject();
  port = await freePort();
  // Two of the workers do as well as four.
  const off = ["alert-worker", "retention-worker"].map((worker) => `${worker}: { replicas: 0 }`);
  writeSettings(project, name, port, [`services: { ${off.join(", ")} }`]);
  await done("secrets", "generate");
  await done("up");
  keep(await project.secrets());
  const { S3_SECRET_ACCESS_KEY: s3 = "", S3_ACCESS_KEY_ID: id = "", [KEY]: key = "" } = known;
  const lines = Array.from({ length: ROWS }, () => [
    "http://storage:7070",
    "rejourney",
    id,
    sealKeyRef(s3, key),
  ]);
  const copy = "COPY storage_endpoints (endpoint_url, bucket, access_key_id, key_ref) FROM STDIN";
  await sql(`${copy};\n${lines.map((line) => `${line.join("\t")}\n`).join("")}\\.\n`);
  reading = await Reading.begin(port);
}, 200_000);
afterAll(async () => {
  await reading?.stop();
  await removeAll(name);
  project.remove();
});

function keep(values: Record<string, string>, suffix = ""): void {
  for (const [secret, value] of Object.entries(values)) if (value !== "") known[secret + suffix] = value;
}

/** `rejourney <args>`, which has to work: its standard output. */
async function done(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await project.rejourney(args);
  expect(status, `${args.join(" ")}:\n${stdout}${stderr}`).toBe(0);
  return stdout;
}

/** The same, which has to fail: its standard error. */
async function refused(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await project.rejourney(args);
  expect({ status, stderr }, stdout).toMatchObject({ status: 1 });
  return stderr;
}

/** The same, with all that it started, killed when it prints these words. */
async function killed(words: RegExp, ...args: string[]): Promise<void> {
  const child = project.start(args);
  let told = "";
  child.stderr!.on("data", (text: Buffer) => (told += text.toString()));
  const end = ended(child);
  while (!words.test(told) && child.exitCode === null) await sleep(5);
  process.kill(-child.pid!, "SIGKILL");
  await end;
  project.printed += told;
  expect(told).toMatch(words);
}

/** What the database answers. */
async function sql(statement: string): Promise<string> {
  const { postgres } = await containers(name);
  const psql = ["psql", "-U", "rejourney", "-d", "rejourney", "-qAt", "-v", "ON_ERROR_STOP=1"];
  return docker(["exec", "--interactive", postgres!.Id, ...psql], {}, statement);
}

const rows = async () =>
  (await sql("SELECT id, key_ref FROM storage_endpoints ORDER BY id;"))
    .split("\n")
    .map((line) => line.split("|") as [string, string]);

/** How many rows each key opens. */
async function opened(...keys: string[]): Promise<number[]> {
  const { S3_SECRET_ACCESS_KEY: s3 } = known;
  const opens = (ref: string, key: string) => {
    try {
      return openKeyRef(ref, key) === s3;
    } catch {
      return false;
    }
  };
  const all = await rows();
  return keys.map((key) => all.filter(([, ref]) => opens(ref, key)).length);
}

/** The key that the application has. */
async function keyOfApi(): Promise<string> {
  const { api } = await containers(name);
  return api!.Config.Env.find((line) => line.startsWith(`${KEY}=`))!.slice(KEY.length + 1);
}

/** Writes and reads recordings, each by whatever row the application chooses, while a test does something else. */
class Reading {
  readonly failed: string[] = [];
  answered = 0;
  readonly #work: Promise<void>;
  #stopped = false;

  private constructor(base: string) {
    this.#work = this.#read(base);
  }

  static async begin(port: number): Promise<Reading> {
    const url = `http://localhost:${port}/api/projects`;
    const made = await fetch(url, { method: "POST", body: JSON.stringify({ name: "rotated" }) });
    const { id } = (await made.json()) as { id: string };
    return new Reading(`${url}/${id}/recordings`);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  /** Waits for so many answers more. */
  async more(count: number): Promise<void> {
    for (const end = this.answered + count; this.answered < end;) await sleep(50);
  }

  async #read(base: string): Promise<void> {
    // The application reads all rows again each second; more often would only load the machine.
    for (let i = 0; !this.#stopped; i++, await sleep(1000)) {
      const url = `${base}/${i}`;
      const text = `recording ${i}`;
      try {
        const put = await fetch(url, { method: "PUT", body: text });
        const got = await fetch(url);
        const body = await got.text();
        if (put.ok && got.ok && body === text) this.answered++;
        else this.failed.push(`${put.status} ${got.status} ${body.slice(0, 100)}`);
      } catch (error) {
        this.failed.push((error as Error).message);
      }
    }
  }
}

describe("the key of the rows", () => {
  test("is left by a dry run, which tells what would happen", async () => {
    const stdout = await done("secrets", "rotate", KEY, "--dry-run");
    expect(stdout).toContain(
      `${KEY}: a new random value. From the moment when the rows of storage_endpoints use the new key`,
    );
    expect(stdout).toContain(
      `Rows of storage_endpoints to re-encrypt: ${ROWS}\nRestarts: api, ingest-worker\n`,
    );
    expect(await project.secrets()).toMatchObject({ [KEY]: known[KEY] });
    expect(await opened(known[KEY]!)).toEqual([ROWS]);
  });

  test("is left where a row does not open, which is named", async () => {
    const before = await rows();
    const [id, ref] = before[4321]!;
    await sql(`UPDATE storage_endpoints SET key_ref = 'a|b' WHERE id = '${id}';`);
    const damaged = await rows();
    const told = await refused("secrets", "rotate", KEY, "--yes");
    expect(told).toContain(
      `does not decrypt the key_ref of 1 of ${ROWS} rows of storage_endpoints: ${id}; nothing was changed.`,
    );
    expect(await rows()).toEqual(damaged);
    expect(await project.secrets()).toMatchObject({ [KEY]: known[KEY] });
    await sql(`UPDATE storage_endpoints SET key_ref = '${ref}' WHERE id = '${id}';`);
  });

  test("is another one after five kills and one run more, and no row was ever without a key", async () => {
    const old = known[KEY]!;
    const before = project.read(".env");
    let to = "";
    const killedAt = async (words: RegExp) => {
      await killed(words, "secrets", "rotate", KEY, "--yes");
      const { resources } = await project.state("--show-secrets");
      const rotations = resources.find(({ urn }) => urn.endsWith("::secrets-rotations"))!;
      const { open } = rotations.outputs!.output as { open: { from: Plain; to: Plain } };
      const [from, next] = [open.from, open.to].map(({ plaintext }) => JSON.parse(plaintext) as string);
      expect(from).toBe(old);
      // Every run goes on with the key of the first one.
      if (to !== "") expect(next).toBe(to);
      to = next!;
      const [byOld, byNew] = await opened(old, to);
      expect([byOld, byNew].sort()).toEqual([0, ROWS]);
    };
    expect(reading.failed).toEqual([]);
    await killedAt(/The state and the recovery bundle contain both values/);
    await killedAt(/it is not committed yet/);
    expect(reading.failed).toEqual([]);
    expect(await opened(old, to)).toEqual([ROWS, 0]);
    expect(await refused("up", "--yes")).toMatch(
      /^The rotation of STORAGE_ENCRYPTION_KEY that began at .* is not finished; nothing was changed\.\n {2}Fix: npx rejourney secrets rotate STORAGE_ENCRYPTION_KEY$/m,
    );
    await killedAt(/The state has the new STORAGE_ENCRYPTION_KEY/);
    await killedAt(/Committed: the database now requires/);
    await killedAt(/beside the running ones/);
    const stdout = await done("secrets", "rotate", KEY, "--yes");
    expect(stdout).toContain("Resumes the rotation that began at ");
    expect(stdout).toContain(
      `Rotated: ${KEY}, with the rows of storage_endpoints (${ROWS}). An older .env does not revert this.\n`,
    );
    expect(to).toMatch(/^[0-9a-f]{64}$/);
    expect(await opened(old, to)).toEqual([0, ROWS]);
    expect(await keyOfApi()).toBe(to);
    keep({ [KEY]: to }, " (new)");
    expect(parse(project.read(".env"))).toEqual({ ...parse(before), [KEY]: to });
    expect(project.read(".env").replace(to, old)).toBe(before);
    expect(statSync(project.path(".env")).mode & 0o777).toBe(0o600);
    const failed = reading.failed.length;
    await reading.more(5);
    expect(reading.failed.length).toBe(failed);
  }, 400_000);

  test("is not put back by an older .env, which is told", async () => {
    const now = project.read(".env");
    writeFileSync(project.path(".env"), now.replace(known[`${KEY} (new)`]!, known[KEY]!));
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain(`${KEY}: its source has a different value; the value in use was kept`);
    expect(await keyOfApi()).toBe(known[`${KEY} (new)`]);
    writeFileSync(project.path(".env"), now);
  });

  test("is kept beside the old one until that may go, which no row may need any more", async () => {
    const kept = async () => JSON.stringify(await project.state("--show-secrets")).includes(known[KEY]!);
    expect(await kept()).toBe(true);
    const row = `'http://other.test', 'b', '${sealKeyRef(known.S3_SECRET_ACCESS_KEY!, known[KEY]!)}', false`;
    const id = await sql(
      `INSERT INTO storage_endpoints (endpoint_url, bucket, key_ref, active) VALUES (${row}) RETURNING id;`,
    );
    expect(await refused("secrets", "rotate", KEY, "--finish", "--yes")).toContain(
      `1 of ${ROWS + 1} rows of storage_endpoints: ${id}; nothing was changed.`,
    );
    expect(await kept()).toBe(true);
    await sql(`DELETE FROM storage_endpoints WHERE id = '${id}';`);
    await done("secrets", "rotate", KEY, "--finish", "--yes");
    expect(await kept()).toBe(false);
  });
});

interface Plain {
  plaintext: string;
}

describe("the password of the database", () => {
  test("is another one in the database and for all that reads it, also after a kill in between", async () => {
    const rotate = ["secrets", "rotate", "POSTGRES_PASSWORD", "--yes"];
    await killed(/The state has the new POSTGRES_PASSWORD/, ...rotate);
    const stdout = await done(...rotate);
    expect(stdout).toContain("Resumes the rotation that began at ");
    expect(stdout).toContain("Restarts: api, ingest-worker, postgres\n");
    expect(stdout).toMatch(/^For [\d.]+ s some services still used the old value/m);
    const { POSTGRES_PASSWORD: password = "" } = await project.secrets();
    expect(password).toMatch(/^[0-9a-f]{48}$/);
    expect(password).not.toBe(known.POSTGRES_PASSWORD);
    keep({ POSTGRES_PASSWORD: password }, " (new)");
    const { postgres, api } = await containers(name);
    // Not over the loopback, where the image asks for none.
    const login = (given: string) =>
      docker(
        [
          "exec",
          "--env=PGPASSWORD",
          postgres!.Id,
          "sh",
          "-c",
          'psql -h "$(hostname -i)" -U rejourney -Atc "select 1" rejourney',
        ],
        { PGPASSWORD: given },
      );
    expect(await login(password)).toBe("1");
    await expect(login(known.POSTGRES_PASSWORD!)).rejects.toThrow("password authentication failed");
    expect(api!.Config.Env).toContain(
      `DATABASE_URL=postgresql://rejourney:${password}@postgres:5432/rejourney`,
    );
    const failed = reading.failed.length;
    await reading.more(5);
    expect(reading.failed.length).toBe(failed);
  }, 200_000);
});

describe("the values", () => {
  test("are in no file but .env, nor in anything that was printed", () => {
    const files = [...project.files(".")].filter(([path]) => !/node_modules|\.env$/.test(path));
    expect(found(known, [...files, ["output", project.printed]])).toEqual([]);
  });
});
