import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { madeImages } from "../../tools/images/images.ts";
import { yamlText } from "../../infra/yaml.ts";
import { TestProject } from "../project.ts";
import { docker, freePort, listed, removeAll, testName, writeSettings } from "./host.ts";

// A Compose project of the same name that somebody else runs on the Docker host, as the application's own installer does.

const name = testName();
const CONTAINERS = ["minio", "postgres", "redis"].map((service) => `${name}-${service}-1`);
const VOLUMES = ["miniodata", "pgdata", "redisdata"].map((volume) => `${name}_${volume}`);
const folder = mkdtempSync(join(tmpdir(), "rejourney-foreign-"));
let project: TestProject;
let before: string[];

/** Every container and volume of the name, with what tells it from another of the same name, and what a volume holds. */
async function all(): Promise<string[]> {
  const ids = await listed(["ps", "--all", "--quiet", "--no-trunc", `--filter=name=${name}`]);
  const started = (
    await docker(["inspect", "--format={{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}", ...ids])
  ).split("\n");
  const volumes = await listed(["volume", "ls", "--quiet", `--filter=name=${name}`]);
  const held = await docker(["exec", `${name}-postgres-1`, "cat", "/mnt/kept"]);
  return [...started.sort(), ...volumes.sort(), held];
}

beforeAll(async () => {
  project = new TestProject();
  const { web } = await madeImages(() => {});
  const entries = ["postgres", "redis", "minio"].map((service, i) => [
    service,
    {
      image: web,
      user: "0:0",
      init: true,
      entrypoint: ["sleep", "3600"],
      volumes: [`${VOLUMES.toReversed()[i]!.split("_")[1]}:/mnt`],
    },
  ]);
  const text = yamlText({
    name,
    services: Object.fromEntries(entries) as object,
    volumes: Object.fromEntries(VOLUMES.map((volume) => [volume.split("_")[1], {}])) as object,
  });
  writeFileSync(join(folder, "docker-compose.yml"), text);
  await execa("docker", ["compose", "up", "--detach"], { cwd: folder });
  await docker(["exec", `${name}-postgres-1`, "sh", "-c", "echo kept > /mnt/kept"]);
  writeSettings(project, name, await freePort());
  before = await all();
}, 120_000);
afterAll(async () => {
  await removeAll(name);
  project.remove();
  rmSync(folder, { recursive: true });
});

test("is named and left alone by up", async () => {
  const { status, stdout, stderr } = await project.rejourney(["up", "--yes"]);
  expect({ status, stdout }, stderr).toEqual({ status: 1, stdout: "" });
  const named = [
    ...CONTAINERS.map((container) => `container ${container}`),
    ...VOLUMES.map((volume) => `volume ${volume}`),
  ];
  for (const one of named) expect(stderr).toContain(one);
  expect(stderr).toContain(`The Docker host has a project named ${name} that this program did not create: `);
  expect(stderr).toContain(
    "nothing was changed.\n  Fix: before the first up, set rejourney:projectName to another name",
  );
  expect(await all()).toEqual(before);
});

test.each([["--yes"], ["--delete-data", "--confirm", "selfhosted"]])(
  "is left alone by down %s of a copy that has deployed nothing, which makes no state either",
  async (...flags) => {
    rmSync(project.path(".rejourney"), { recursive: true, force: true });
    const { status, stdout, stderr } = await project.rejourney(["down", ...flags]);
    expect({ status, stdout, stderr }).toEqual({
      status: 1,
      stdout: "",
      stderr: "Nothing of the stack selfhosted is deployed from here. Next: npm run up\n",
    });
    expect(project.exists(".rejourney", "state")).toBe(false);
    expect(await all()).toEqual(before);
  },
);
