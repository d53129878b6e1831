import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, TestProject } from "../project.ts";
import { containers, docker, freePort, removeAll, testName, writeSettings } from "./host.ts";

// `npm run up` that gets SIGKILL, on a real Docker Engine: the same command goes on, with the secrets that were there.

const SERVICES = ["alert-worker", "api", "ingest-worker", "postgres", "redis", "retention-worker"].concat(
  ...["storage", "traefik", "web"],
);

const name = testName();
let project: TestProject;
let port = 0;
/** Every secret that was in the state after a kill. */
let known: Record<string, string> = {};

beforeAll(async () => {
  project = new TestProject();
  port = await freePort();
  settings();
});
afterAll(async () => {
  await removeAll(name);
  project.remove();
});

const settings = (...lines: string[]) => writeSettings(project, name, port, lines);

/** Starts `up`, and kills it when it prints these words: its group is all that it started, but for what left it. */
async function killedAt(words: RegExp, whom: "group" | "parent"): Promise<void> {
  const child = project.start(["up"]);
  let told = "";
  child.stderr!.on("data", (text: Buffer) => (told += text.toString()));
  const end = ended(child);
  while (!words.test(told) && child.exitCode === null) await sleep(10);
  // On a busy machine, the words may come together with the end: then there is nothing left to kill.
  if (child.exitCode === null) process.kill(whom === "group" ? -child.pid! : child.pid!, "SIGKILL");
  if (whom === "group") await end;
  expect(told).toMatch(words);
  const secrets = await project.secrets().catch(() => ({})); // no state yet
  known = { ...known, ...Object.fromEntries(Object.entries(secrets).filter(([, value]) => value !== "")) };
}

/**
 * What is left where the kill hits `docker compose run` at its work, before the start and after it, which is hard to
 * hit. And one that somebody has started by hand, whose name is returned.
 */
async function leaveOneOffs(): Promise<string> {
  const { Image } = (await containers(name)).api!.Config;
  const leave = async (how: string[], container: string, service: string) => {
    const labels = { project: name, oneoff: "True", service };
    const flags = Object.entries(labels).map(([key, value]) => `--label=com.docker.compose.${key}=${value}`);
    await docker([...how, "--init", "--entrypoint=sleep", `--name=${container}`, ...flags, Image, "600"]);
  };
  await leave(["create", "--rm"], `${name}-migrate-run-created`, "migrate");
  await leave(["run", "--detach", "--rm"], `${name}-migrate-run-started`, "migrate");
  const byHand = `by-hand-${name.split("-").at(-1)}`;
  await leave(["run", "--detach", "--rm"], byHand, "api");
  return byHand;
}

async function converges(): Promise<void> {
  const { status, stderr } = await project.rejourney(["up"]);
  expect(status, stderr).toBe(0);
  expect(await project.secrets()).toMatchObject(known);
  expect(Object.keys(known)).toHaveLength(8);
  expect(Object.keys(await containers(name)).sort()).toEqual(SERVICES);
  expect((await project.rejourney(["status"])).status).toBe(0);
  expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200);
}

describe("a run that gets SIGKILL", () => {
  test("with all it started, again and again, each time further on", async () => {
    await killedAt(/Created a passphrase/, "group");
    await killedAt(/Applying …/, "group");
    await killedAt(/\+ secrets-storage-encryption-key/, "group");
    await killedAt(/Running migrate …/, "group");
    await killedAt(/-api-1 +(Started|Healthy)/, "group");
    const byHand = await leaveOneOffs();
    try {
      await converges();
      expect(await docker(["inspect", "--format={{.State.Status}}", byHand])).toBe("running");
    } finally {
      await docker(["rm", "--force", byHand]);
    }
  }, 300_000);

  test("alone, so that its engine goes on, at two points", async () => {
    // What a run changes is the migration alone, which is soon done, and once the API.
    const migration = (i: number) => `migrateCommand: [sh, -c, 'exit 0 # ${i}']`;
    const api = "services: { api: { memory: 600M } }";
    const points = [/Running migrate …/, /beside the running ones/];
    for (const [i, point] of points.entries()) {
      settings(migration(i), ...(i === 0 ? [] : [api]));
      await killedAt(point, "parent");
    }
    settings(api);
    await converges();
    expect((await containers(name)).api!.HostConfig.Memory).toBe(600 * 2 ** 20);
  }, 300_000);
});
