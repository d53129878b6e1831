import { createHash } from "node:crypto";
import { cp, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { CLUSTER_IMAGES, type Images } from "../../infra/app/images.ts";
import type { Log } from "../setup/log.ts";
import { withScratch } from "../setup/scratch.ts";
import { BASE, baseFile } from "./base.ts";
import { built, node, type Part, postgres, sample } from "./parts.ts";

/** What a cluster of the tests runs beside the application. */
type ClusterPart = "traefik" | "coredns" | "pause";

interface Recipe {
  base: "base" | "application";
  /** What its Dockerfile, in the folder of the image's name, copies. */
  parts: Readonly<Record<string, Part>>;
}

const RECIPES: Readonly<Record<keyof Images | "application" | ClusterPart, Recipe>> = {
  application: { base: "base", parts: { node, app: sample } },
  api: { base: "application", parts: {} },
  web: { base: "application", parts: {} },
  migration: { base: "application", parts: {} },
  postgres: { base: "base", parts: { postgres } },
  redis: { base: "base", parts: {} },
  storage: { base: "base", parts: { versitygw: built("versitygw") } },
  traefik: { base: "base", parts: { traefik: built("traefik") } },
  coredns: { base: "base", parts: { coredns: built("coredns") } },
  pause: { base: "base", parts: {} },
};

const PREFIX = "rejourney-sample/";

/** True for an image that `madeImages` has made. */
export function isMadeHere(image: string): boolean {
  return image.startsWith(PREFIX);
}

type Name = keyof typeof RECIPES | "base";

/**
 * The images of a single node, made on this machine without an image registry: the data services of packages, the
 * application as the sample. A tag is a hash of what goes into the image: one that is there is up to date, and a change
 * in the sample changes the application's images alone. From nothing this takes under a minute besides the Go tools.
 */
export async function madeImages(log: Log): Promise<Images> {
  const references: Partial<Images> = {};
  // One after the other: they share a base, and a machine's two cores.
  for (const name of ["traefik", "storage", "redis", "postgres", "migration", "api", "web"] as const)
    references[name] = await made(name, log);
  return references as Images;
}

const CLUSTER = [...CLUSTER_IMAGES, "traefik", "coredns", "pause"] as const;

export type ClusterImages = Record<(typeof CLUSTER)[number], string>;

/** What {@link saveClusterImages} makes: the application, its data services, and what the cluster itself runs. */
export async function clusterImages(): Promise<ClusterImages> {
  const entries = CLUSTER.map(async (name) => [name, await referenceOf(name)] as const);
  return Object.fromEntries(await Promise.all(entries)) as ClusterImages;
}

/** Makes the images of a cluster of the tests, and saves them to a file as `docker save` does. */
export async function saveClusterImages(file: string, log: Log): Promise<void> {
  const references: string[] = [];
  for (const name of CLUSTER) references.push(await made(name, log));
  log("Saving the images for the nodes …");
  await docker("save", `--output=${file}.partial`, ...references);
  await rename(`${file}.partial`, file);
}

async function made(name: Name, log: Log): Promise<string> {
  const reference = await referenceOf(name);
  if (await exists(reference)) return reference;
  if (name === "base") {
    await docker("import", await baseFile(await tagOf(name), log), reference);
    return reference;
  }
  const { base, parts } = RECIPES[name];
  const from = await made(base, log);
  log(`Building the image ${reference} …`);
  await withScratch(async (context) => {
    await cp(join(import.meta.dirname, name), context, { recursive: true });
    for (const [part, { put }] of Object.entries(parts)) await put(join(context, part), log);
    // The tag is set when the image is whole, so one that is there is never half of one.
    const options = ["--quiet", "--network=none", `--build-arg=BASE=${from}`, `--tag=${reference}`];
    await docker("build", ...options, context);
  });
  return reference;
}

async function referenceOf(name: Name): Promise<string> {
  return `${PREFIX}${name}:${await tagOf(name)}`;
}

async function tagOf(name: Name): Promise<string> {
  const inputs: unknown[] = [process.arch];
  if (name === "base") inputs.push(BASE);
  else {
    const { base, parts } = RECIPES[name];
    inputs.push(await tagOf(base));
    const folder = join(import.meta.dirname, name);
    for (const file of (await readdir(folder)).sort())
      inputs.push(file, await readFile(join(folder, file), "utf8"));
    for (const [part, { key }] of Object.entries(parts)) inputs.push(part, await key());
  }
  return createHash("sha256").update(JSON.stringify(inputs)).digest("hex").slice(0, 12);
}

async function exists(reference: string): Promise<boolean> {
  const inspected = await execa("docker", ["image", "inspect", "--format={{.Id}}", reference], {
    reject: false,
  });
  return inspected.exitCode === 0;
}

async function docker(...args: string[]): Promise<void> {
  // The default builder sees this engine's images; one in a container would look for them in a registry.
  await execa("docker", args, { env: { BUILDX_BUILDER: "default" } });
}
