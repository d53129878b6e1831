import { execa } from "execa";
import type { Images } from "../infra/app/images.ts";
import { composeProject } from "../infra/docker/project.ts";
import type { DockerSettings } from "../infra/settings/load.ts";
import { madeImages } from "../tools/images/images.ts";
import { Failure, log } from "./output.ts";

/** The release that stands for the sample application. */
export const SAMPLE_RELEASE = "sample";

/** Docker's words where it got no answer from a registry. Any other failure is the registry's own answer. */
const OUT_OF_REACH =
  /no such host|server misbehaving|connection refused|connection reset|network is unreachable|no route to host|timeout|deadline exceeded/i;

/**
 * Fetches every image that the settings name. For the release `sample`, and where no registry can be reached and no
 * release was asked for, makes them on this machine, with the sample application in Rejourney's place: then these
 * replace the settings' images. Any other image that was asked for and cannot be had is a Failure.
 */
export async function obtainImages(settings: DockerSettings): Promise<Images | undefined> {
  const made = async () => ({ ...(await madeImages(log)), ...settings.images });
  if (settings.release === SAMPLE_RELEASE) return made();
  const named: readonly unknown[] = Object.values(settings.images);
  for (const image of imagesOfProject(settings)) {
    const problem = await fetchProblem(image);
    if (problem === undefined) continue;
    const unreachable = OUT_OF_REACH.test(problem);
    if (unreachable && settings.release === undefined && !named.includes(image)) {
      log(`The image registry of ${image} cannot be reached: ${problem}`);
      log("So the images are made here, of packages, with a sample application in the place of Rejourney.");
      return made();
    }
    throw new Failure(
      `The image ${image} cannot be had: ${problem}\n  Mend: ` +
        (unreachable
          ? "the network; or name images of a registry within reach in rejourney:images"
          : "correct rejourney:release, REJOURNEY_RELEASE in .env, or rejourney:images; or docker login"),
    );
  }
  return undefined;
}

/** Those that are known; the application's need a release. */
function imagesOfProject(settings: DockerSettings): Set<string> {
  const images = Object.values(composeProject(settings).services).map(({ image }) => image);
  return new Set(images.filter((image) => !image.includes("${")));
}

async function fetchProblem(image: string): Promise<string | undefined> {
  const found = await execa("docker", ["image", "inspect", "--format={{.Id}}", image], { reject: false });
  if (found.exitCode === 0) return undefined;
  log(`Fetching ${image} …`);
  const { exitCode, stderr } = await execa("docker", ["pull", "--quiet", image], { reject: false });
  return exitCode === 0 ? undefined : stderr.replace(/^Error response from daemon: /, "");
}
