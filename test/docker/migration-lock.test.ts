import { afterAll, beforeAll, expect, test } from "vitest";
import { stages } from "../../infra/kubernetes/parts.ts";
import { madeImages } from "../../tools/images/images.ts";
import { pods } from "../unit/manifests.ts";
import { kubernetesSettings } from "../unit/values.ts";
import { docker, eventually, removeAll, testName } from "./host.ts";

// The sidecar of a migration's pod, as a container of its own, on a real PostgreSQL: what Kubernetes makes of the pod is
// not tried here.

const name = testName();
const PASSWORD = "made-up-for-this-test";
let image: string;

beforeAll(async () => {
  image = (await madeImages(() => undefined)).postgres;
  await docker(["network", "create", name]);
  const options = ["--detach", `--name=${name}-postgres`, `--network=${name}`, "--network-alias=postgres"];
  const env = { POSTGRES_USER: "rejourney", POSTGRES_DB: "rejourney", POSTGRES_PASSWORD: PASSWORD };
  const names = Object.keys(env).flatMap((key) => ["-e", key]);
  await docker(["run", ...options, ...names, image], env);
  await eventually(60, () => docker(["exec", `${name}-postgres`, "pg_isready", "-q", "-h", "127.0.0.1"]));
}, 120_000);
afterAll(() => removeAll(name));

/** Starts the sidecar; `which` tells one from another. */
async function start(which: string): Promise<void> {
  const all = stages(kubernetesSettings()).flatMap((stage) => stage.flatMap((part) => part.manifests));
  const { command, env } = pods(all).migrate!.initContainers![0]!;
  const secret: Record<string, string> = {
    PGUSER: "rejourney",
    PGDATABASE: "rejourney",
    PGPASSWORD: PASSWORD,
  };
  const values = Object.fromEntries(env.map(({ name, value }) => [name, value ?? secret[name]!]));
  const options = [
    "--detach",
    `--name=${name}-${which}`,
    `--network=${name}`,
    "--user=1000:1000",
    "--read-only",
  ];
  const confined = ["--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/lock:size=1m,mode=1777"];
  const names = Object.keys(values).flatMap((key) => ["-e", key]);
  const [entrypoint, ...args] = command!;
  await docker(
    ["run", ...options, ...confined, ...names, `--entrypoint=${entrypoint}`, image, ...args],
    values,
  );
}

const holds = (which: string) => docker(["exec", `${name}-${which}`, "test", "-e", "/lock/held"]);

/** Sessions of the database that wait for an advisory lock. */
async function waiting(): Promise<number> {
  const query = "select count(*) from pg_locks where locktype = 'advisory' and not granted";
  const psql = ["psql", "-h", "127.0.0.1", "-U", "rejourney", "-qAtc", query];
  return Number(
    await docker(["exec", "-e", "PGPASSWORD", `${name}-postgres`, ...psql], { PGPASSWORD: PASSWORD }),
  );
}

test("one migration at a time holds the lock, and whoever waits gets it as soon as that one is over", async () => {
  await start("first");
  await eventually(20, () => holds("first"));
  await start("second");
  await start("third");
  await eventually(20, async () => expect(await waiting()).toBe(2));
  await expect(holds("second")).rejects.toThrow();
  await expect(holds("third")).rejects.toThrow();

  // As the kubelet ends a sidecar: SIGTERM, and SIGKILL only if that is not heard.
  await docker(["stop", "--time=20", `${name}-first`]);
  const heir = await eventually(20, () =>
    Promise.any(["second", "third"].map((which) => holds(which).then(() => which))),
  );
  // As a node that dies.
  await docker(["kill", `${name}-${heir}`]);
  await eventually(20, () => holds(heir === "second" ? "third" : "second"));
}, 120_000);
