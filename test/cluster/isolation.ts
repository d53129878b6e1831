// What surrounds the tests on a cluster: namespaces of the kernel, in which all of it ends with the run.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type ClusterImages, clusterImages, saveClusterImages } from "../../tools/images/images.ts";
import { needProgram } from "../../tools/setup/apt.ts";
import { cacheDir } from "../../tools/setup/cache.ts";
import { ensureDocker } from "../../tools/setup/docker.ts";
import { SetupError } from "../../tools/setup/error.ts";
import type { Log } from "../../tools/setup/log.ts";
import { stopDocker } from "../docker/host.ts";

/** What the run has made ready for a cluster; the tests get it in the environment. */
export interface Prepared {
  /** Holds what the node writes. Its name is also that of the control group below which pods run. */
  folder: string;
  /** The file with the images. */
  file: string;
  images: ClusterImages;
}

/** What a run leaves when it is killed bears this name and the run's process id. */
const PREFIX = "rejourney-node-";

const VARIABLE = "REJOURNEY_TEST_CLUSTER";

/** Folders whose paths are fixed in the programs of a node; each has one of its own in their place. */
const OWN_FOLDERS = ["/run", "/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/var/log/pods"];

/** Programs of a node that the distribution has, and their packages. */
const PROGRAMS = {
  containerd: "containerd",
  runc: "runc",
  "/usr/lib/cni/bridge": "containernetworking-plugins",
  iptables: "iptables",
  ip: "iproute2",
};

/**
 * Every process of a run that gets `command` in front of it, and `env`, is in a network, process and mount namespace of
 * its own. `takeBack` removes what is left once it has ended.
 */
export async function prepareCluster(log: Log) {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new SetupError(
      "A cluster of their own takes root on Linux; TEST_KUBECONFIG=FILE names another cluster",
    );
  for (const [program, packageName] of Object.entries(PROGRAMS)) await needProgram(program, packageName, log);
  removeLeft();
  const images = await clusterImages();
  const folder = join(tmpdir(), PREFIX + process.pid);
  const prepared: Prepared = { folder, file: await saved(images, log), images };
  mkdirSync(folder);
  for (const root of HIERARCHIES) mkdirSync(join(root, basename(folder)));
  const made = OWN_FOLDERS.filter((path) => !existsSync(path));
  for (const path of made) mkdirSync(path, { recursive: true });
  const binds = OWN_FOLDERS.map((path, index) => {
    const own = join(folder, "own", String(index));
    mkdirSync(own, { recursive: true });
    return `mount --bind ${own} ${path}`;
  });
  const flags = ["--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"];
  return {
    // The shell stays, as the process that reaps all whose parents have ended.
    command: ["unshare", ...flags, "sh", "-ec", `${binds.join("\n")}\n"$@"\nexit $?`, "sh"],
    env: { [VARIABLE]: JSON.stringify(prepared) },
    takeBack: () => {
      remove(basename(folder));
      for (const path of made.reverse()) rmdirSync(path);
    },
  };
}

/** What {@link prepareCluster} has made, in a run that it surrounds. */
export function prepared(): Prepared {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error("The tests on a cluster are started by: npm run test:cluster");
  return JSON.parse(text) as Prepared;
}

/** The file with the images, which is made once. */
async function saved(images: ClusterImages, log: Log): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(images)).digest("hex").slice(0, 12);
  const file = join(cacheDir, `cluster-images-${key}.tar`);
  if (existsSync(file)) return file;
  for (const name of readdirSync(cacheDir))
    if (name.startsWith("cluster-images-")) rmSync(join(cacheDir, name));
  const engine = await ensureDocker({ log, confirm: () => Promise.resolve(true) });
  try {
    await saveClusterImages(file, log);
  } finally {
    await stopDocker(engine);
  }
  return file;
}

/** Where control groups are made: a folder for each controller, or a single one. */
const HIERARCHIES = existsSync("/sys/fs/cgroup/cgroup.controllers")
  ? ["/sys/fs/cgroup"]
  : readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name));

/** Removes what runs that were killed have left. */
function removeLeft(): void {
  const names = [tmpdir(), ...HIERARCHIES].flatMap((folder) => readdirSync(folder));
  for (const name of new Set(names))
    if (name.startsWith(PREFIX) && !existsSync(`/proc/${name.slice(PREFIX.length)}`)) remove(name);
}

function remove(name: string): void {
  rmSync(join(tmpdir(), name), { recursive: true, force: true });
  for (const root of HIERARCHIES) removeControlGroup(join(root, name));
}

/** A control group goes when those below it have gone. */
function removeControlGroup(path: string): void {
  if (!existsSync(path)) return;
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeControlGroup(join(path, entry.name));
  rmdirSync(path);
}
