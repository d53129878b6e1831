import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { execa } from "execa";
import { APPLICATION_IMAGES, applicationImage, type Images } from "../../infra/app/images.ts";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import type { DockerSettings, TakenImages } from "../../infra/settings/load.ts";
import { command, shownEnvFile } from "../../infra/settings/command.ts";
import { takenPath } from "../../infra/settings/sources.ts";
import { isMadeHere, madeImages } from "../../tools/images/images.ts";
import { Failure, log } from "../terminal/output.ts";
import { replaceFile } from "../state/replace-file.ts";

/** The release that stands for the sample application. */
export const SAMPLE_RELEASE = "sample";

/** Docker's words where it got no answer from a registry. Any other failure is the registry's own answer. */
const OUT_OF_REACH =
  /no such host|server misbehaving|connection refused|connection reset|network is unreachable|no route to host|timeout|deadline exceeded/i;

/**
 * Gets every image that a stack runs, and keeps on record which. Where no release is named, those on record stay; on a
 * first run, it is the newest release, by its digest. So no run changes the release unasked. The result is what was
 * taken. Throws Failure as `obtainImages` does, and where a stack that has run leaves the release open.
 */
export async function takeImages(
  settings: DockerSettings,
  project: ComposeProject,
  hasRun: boolean,
): Promise<Partial<Images>> {
  const { stack, release, images } = settings;
  if (isOpen(settings) && hasRun)
    throw new Failure(
      `No setting names the release of Rejourney for the stack ${stack}; nothing was changed.\n` +
        `  Fix: echo REJOURNEY_RELEASE=<release> >> ${shownEnvFile()}`,
    );
  const open = APPLICATION_IMAGES.filter((name) => isOpen(settings) && images[name] === undefined);
  const newest = open.map((name) => applicationImage(name, "latest"));
  const made = await obtainImages(settings, project, newest);
  const takenImages: Partial<Images> = made ?? { ...settings.takenImages };
  if (made === undefined && release !== undefined)
    for (const name of APPLICATION_IMAGES) takenImages[name] = applicationImage(name, release);
  if (made === undefined)
    for (const [i, name] of open.entries()) takenImages[name] = await digestOf(newest[i]!);
  const path = takenPath(stack);
  const taken: TakenImages = { release, images: takenImages };
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  replaceFile(path, `${JSON.stringify(taken, null, 2)}\n`);
  return takenImages;
}

/** True when the sample application stands in Rejourney's place. */
export function isSample({ services }: ComposeProject): boolean {
  return isMadeHere(services.api!.image);
}

/** True when the settings ask for the sample application, or go on with it. */
export function asksForSample({ release }: DockerSettings, project: ComposeProject): boolean {
  return release === SAMPLE_RELEASE || isSample(project);
}

/**
 * Throws Failure with a domain, unless the sample is what was asked for: it has no authentication, and the internet
 * would reach it.
 */
export function refuseOpenSample({ domain, release, stack }: DockerSettings, why: string): void {
  if (domain === undefined || release === SAMPLE_RELEASE) return;
  throw new Failure(
    `${why}. The sample application has no authentication, so it does not run at ${domain} unasked; nothing was changed.\n` +
      `  Fix: set REJOURNEY_RELEASE in ${shownEnvFile()}, and check the network: ghcr.io has no IPv6 address, so a host without IPv4 needs rejourney:images of another registry\n` +
      `  To run the sample anyway: echo REJOURNEY_RELEASE=${SAMPLE_RELEASE} >> ${shownEnvFile()}, then ${command(stack, "up")}`,
  );
}

/** True when nobody has said what runs as the application, nor is it on record. */
function isOpen({ release, images, takenImages }: DockerSettings): boolean {
  const given = { ...takenImages, ...images };
  return release === undefined && APPLICATION_IMAGES.some((name) => given[name] === undefined);
}

/**
 * Fetches every image that the settings name, and `others`. For the release `sample`, and where no registry can be
 * reached and nobody has said what runs, makes images on this machine, with the sample application in Rejourney's place:
 * these are the result. Any other image that was asked for and cannot be had is a Failure.
 */
export async function obtainImages(
  settings: DockerSettings,
  project: ComposeProject,
  others: readonly string[] = [],
): Promise<Images | undefined> {
  if (asksForSample(settings, project)) return madeImages(log);
  const named: readonly unknown[] = Object.values(settings.images);
  const wanted = [...imagesOf(project), ...others];
  if (await areHere(wanted)) return undefined;
  for (const image of wanted) {
    const problem = await fetchProblem(image);
    if (problem === undefined) continue;
    if (isOpen(settings) && OUT_OF_REACH.test(problem) && !named.includes(image)) {
      refuseOpenSample(
        settings,
        `No release is set, and the image registry of ${image} is unavailable: ${problem}`,
      );
      log(`The image registry of ${image} is unavailable: ${problem}`);
      log("The images are built here from packages, with a sample application instead of Rejourney.");
      return madeImages(log);
    }
    throw notToBeHad(image, problem);
  }
  return undefined;
}

/** A tag may be another image tomorrow; its digest is what was fetched. */
async function digestOf(image: string): Promise<string> {
  const format = '--format={{join .RepoDigests "\\n"}}';
  const { stdout } = await execa("docker", ["image", "inspect", format, image]);
  const repository = image.replace(/:[^:/]*$/, "");
  const digest = stdout.split("\n").find((line) => line.startsWith(`${repository}@`));
  if (digest === undefined) throw notToBeHad(image, "it has no digest");
  log(`No release is set, so this uses the newest one: ${digest}`);
  return digest;
}

function notToBeHad(image: string, problem: string): Failure {
  return new Failure(
    `The image ${image} is not available: ${problem}\n  Fix: ` +
      (OUT_OF_REACH.test(problem)
        ? `check the network${image.startsWith("ghcr.io/") ? " (ghcr.io has no IPv6 address)" : ""}; or set rejourney:images to images of a registry that is reachable`
        : "correct rejourney:release, REJOURNEY_RELEASE in .env, or rejourney:images; or run docker login"),
  );
}

/** Those that are known; the application's need a release. */
function imagesOf({ services }: ComposeProject): Set<string> {
  const images = Object.values(services).map(({ image }) => image);
  return new Set(images.filter((image) => !image.includes("${")));
}

async function areHere(images: readonly string[]): Promise<boolean> {
  const found = await execa("docker", ["image", "inspect", "--format={{.Id}}", ...images], { reject: false });
  return found.exitCode === 0;
}

async function fetchProblem(image: string): Promise<string | undefined> {
  if (await areHere([image])) return undefined;
  log(`Fetching ${image} …`);
  const { exitCode, stderr } = await execa("docker", ["pull", "--quiet", image], { reject: false });
  return exitCode === 0 ? undefined : stderr.replace(/^Error response from daemon: /, "");
}
