import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Application, BUCKETS } from "./application.ts";
import { docker, eventually } from "./host.ts";
import { keysIn } from "./s3.ts";

// What the deployment takes for granted of the application, tried on real containers. The part about storage needs a
// way to write a recording, of which the contract says nothing: it is the sample's, and left out for other images.

const isSample = process.env.CONFORMANCE_API_IMAGE === undefined;
/** Milliseconds after which a changed row of storage_endpoints is in use. */
const SETTLED = 1500;

let application: Application;
beforeAll(async () => {
  application = await Application.start();
}, 180_000);
afterAll(() => application?.stop());

describe("the processes", () => {
  test("answer on their ports", async () => {
    expect((await fetch(`${application.apiUrl}/health`)).status).toBe(200);
    expect((await fetch(application.webUrl)).status).toBe(200);
  });

  test.each(["ingest", "billing", "alert", "retention"])(
    "run the %s worker, not as root, until SIGTERM",
    async (name) => {
      const id = await application.run({ command: ["node", `dist/worker/${name}Worker.js`] });
      // With a connection to a data service, which is how the deployment sees that a worker is well.
      await eventually(20, async () => {
        const open = await docker(["exec", id, "cat", "/proc/net/tcp", "/proc/net/tcp6"]);
        expect(open).toMatch(/:(1538|18EB) 01 /);
      });
      expect(await docker(["exec", id, "id", "-u"])).toBe("1000");
      await docker(["stop", "--time=30", id]);
      expect(await docker(["inspect", "--format={{.State.ExitCode}}", id])).toBe("0");
    },
  );
});

describe("the migration", () => {
  test("can run again, and makes storage_endpoints as agreed", async () => {
    expect((await application.migrate()).status).toBe(0);
    const columns = await application.sql(
      `SELECT column_name, data_type, character_maximum_length, is_nullable, column_default
       FROM information_schema.columns WHERE table_name = 'storage_endpoints' ORDER BY ordinal_position`,
    );
    const text = (column: string, rest: RegExp) =>
      expect(columns).toMatch(new RegExp(`^${column}\\|${rest.source}`, "m"));
    text("id", /uuid\|\|NO\|gen_random_uuid\(\)$/);
    text("project_id", /uuid\|\|YES\|$/);
    text("endpoint_url", /text\|/);
    text("bucket", /character varying\|255\|/);
    text("region", /character varying\|50\|/);
    text("access_key_id", /character varying\|255\|/);
    text("key_ref", /character varying\|255\|/);
    text("role_arn", /(text|character varying)\|/);
    text("kms_key_id", /(text|character varying)\|/);
    text("priority", /integer\|\|\w+\|0$/);
    text("active", /boolean\|\|\w+\|true$/);
    text("shadow", /boolean\|\|\w+\|false$/);
    const unique =
      "SELECT count(*) FROM pg_index WHERE indrelid = 'storage_endpoints'::regclass AND indisunique";
    expect(await application.sql(unique)).toBe("1");
  });

  test("fails where the database refuses it, and does not show the password", async () => {
    const password = randomBytes(16).toString("hex");
    const DATABASE_URL = `postgresql://rejourney:${password}@postgres:5432/rejourney`;
    const { status, output } = await application.migrate({ DATABASE_URL });
    expect(status).not.toBe(0);
    expect(output).not.toContain(password);
  });
});

interface Row {
  project: string | null;
  bucket: string;
  priority?: number;
  active?: boolean;
  shadow?: boolean;
}

/** Puts these rows in the place of all others. */
async function useEndpoints(rows: readonly Row[]): Promise<void> {
  const { accessKeyId } = application.s3.endpoints;
  const values = rows.map(({ project, bucket, priority = 0, active = true, shadow = false }) => {
    const projectId = project === null ? "NULL" : `'${project}'`;
    return `(${projectId}, 'http://endpoints:7070', '${bucket}', 'us-east-1', '${accessKeyId}',
      '${application.keyRef()}', ${priority}, ${active}, ${shadow})`;
  });
  const columns =
    "project_id, endpoint_url, bucket, region, access_key_id, key_ref, priority, active, shadow";
  const insert = `INSERT INTO storage_endpoints (${columns}) VALUES ${values.join(", ")};`;
  await application.sql(`BEGIN; DELETE FROM storage_endpoints; ${rows.length > 0 ? insert : ""} COMMIT;`);
  await sleep(SETTLED);
}

async function newProject(): Promise<string> {
  const body = JSON.stringify({ name: "conformance" });
  const answer = await fetch(`${application.apiUrl}/api/projects`, { method: "POST", body });
  expect(answer.status).toBe(201);
  return ((await answer.json()) as { id: string }).id;
}

const recordings = (project: string, url = application.apiUrl) => `${url}/api/projects/${project}/recordings`;

/** Writes a recording; its key. */
async function write(project: string, body = randomBytes(1000)): Promise<string> {
  const key = randomUUID();
  const answer = await fetch(`${recordings(project)}/${key}`, { method: "PUT", body });
  expect(answer.status).toBe(201);
  return key;
}

/** The buckets that hold a recording. */
async function placesOf(key: string): Promise<string[]> {
  const found = await Promise.all(
    BUCKETS.map(async ({ storage, bucket }) => ({
      bucket,
      keys: await keysIn(application.s3[storage], bucket),
    })),
  );
  return found.filter(({ keys }) => keys.some((name) => name.endsWith(key))).map(({ bucket }) => bucket);
}

describe.skipIf(!isSample)("storage", () => {
  test("is what the S3 variables say while there are no rows", async () => {
    await useEndpoints([]);
    const [project, body] = [await newProject(), randomBytes(100_000)];
    const key = await write(project, body);
    expect(await placesOf(key)).toEqual(["virtual"]);
    const read = await (await fetch(`${recordings(project)}/${key}`)).bytes();
    expect(Buffer.from(read).equals(body)).toBe(true);
  });

  test("is nowhere without rows where the application is not self-hosted", async () => {
    await useEndpoints([]);
    const project = await newProject();
    const id = await application.run({ port: 3000, env: { SELF_HOSTED_MODE: "false" } });
    const url = recordings(project, await application.address(id, 3000));
    const answer = await eventually(20, () => fetch(`${url}/one`, { method: "PUT", body: "lost" }));
    expect(answer.status).toBe(503);
    expect(await application.sql(`SELECT count(*) FROM recordings WHERE project_id = '${project}'`)).toBe(
      "0",
    );
  });

  test("is what the ingest worker processes", async () => {
    const project = await newProject();
    await write(project);
    await eventually(20, async () => {
      const answer = (await (await fetch(recordings(project))).json()) as {
        recordings: { status: string }[];
      };
      expect(answer.recordings.map(({ status }) => status)).toEqual(["processed"]);
    });
  });

  test("is the project's own row before a global one, and an active one alone", async () => {
    const [own, idle, other] = [await newProject(), await newProject(), await newProject()];
    await useEndpoints([
      { project: null, bucket: "global" },
      { project: own, bucket: "own" },
      { project: idle, bucket: "idle", active: false },
    ]);
    const keys = [await write(own), await write(idle), await write(other)];
    expect(await Promise.all(keys.map(placesOf))).toEqual([["own"], ["global"], ["global"]]);
  });

  test("is not what the S3 variables say once there is a row, even where none serves", async () => {
    const project = await newProject();
    await useEndpoints([{ project: null, bucket: "global", active: false }]);
    const answer = await fetch(`${recordings(project)}/one`, { method: "PUT", body: "lost" });
    expect(answer.status).toBe(503);
    expect(await placesOf("one")).toEqual([]);
  });

  test("is shared by priority + 1", async () => {
    const project = await newProject();
    await useEndpoints([
      { project, bucket: "low", priority: 0 },
      { project, bucket: "high", priority: 9 },
    ]);
    for (let round = 0; round < 12; round++)
      await Promise.all(Array.from({ length: 20 }, () => write(project)));
    const { endpoints } = application.s3;
    const [low, high] = [(await keysIn(endpoints, "low")).length, (await keysIn(endpoints, "high")).length];
    expect(low + high).toBe(240);
    // Of 240 with weights 1 to 10, none in `low`, or a quarter and more, comes once in 10^9 runs.
    expect(low).toBeGreaterThan(0);
    expect(high).toBeGreaterThan(3 * low);
  });

  test("is copied to every active shadow row, of the project or global", async () => {
    const [project, other] = [await newProject(), await newProject()];
    await useEndpoints([
      { project: null, bucket: "global" },
      { project, bucket: "copy-own", shadow: true },
      { project: null, bucket: "copy-global", shadow: true },
      { project: null, bucket: "idle", shadow: true, active: false },
    ]);
    const [mine, others] = [await write(project), await write(other)];
    expect((await placesOf(mine)).sort()).toEqual(["copy-global", "copy-own", "global"]);
    expect((await placesOf(others)).sort()).toEqual(["copy-global", "global"]);
  });
});
