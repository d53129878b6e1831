import type { Compose } from "./compose.ts";
import type { ComposeProject } from "../compose/compose-spec.ts";
import { type Container, containersOf, isWell, removeContainer, stopContainer } from "./containers.ts";

/** A service that has changed while its containers serve. */
interface Changed {
  service: string;
  /** Its containers from before the change. */
  old: readonly Container[];
  /** How many containers there are while old and new ones run. */
  total: number;
}

/**
 * Replaces what has changed among these services without a moment in which nobody serves: the new containers start
 * beside the old ones, which go once every new one is healthy. Where one does not become so, all the new ones are
 * removed and the old ones keep serving. Throws with the last lines of those that were unhealthy then.
 *
 * A service whose containers are not well is left to `docker compose up`: there is nothing to keep.
 */
export async function replaceBeside(
  compose: Compose,
  { name, services }: ComposeProject,
  candidates: readonly string[],
  text: string,
): Promise<void> {
  const before = await containersOf(name);
  const hashes = await compose.configHashes(text);
  const changed = candidates.flatMap((service): Changed[] => {
    const own = before.filter((container) => container.service === service);
    const old = own.filter(({ configHash }) => configHash !== hashes[service]);
    const { scale = 1 } = services[service]!;
    if (old.length === 0 || scale === 0 || !own.every(isWell)) return [];
    return [{ service, old, total: old.length + Math.max(scale, own.length - old.length) }];
  });
  if (changed.length === 0) return;
  const names = changed.map(({ service }) => service);
  compose.say(`Starting new containers beside the running ones: ${names.join(", ")} …`);
  const scales = changed.map(({ service, total }) => `--scale=${service}=${total}`);
  try {
    await compose.up([...scales, "--no-recreate", ...names], text);
  } catch (error) {
    const fresh = (await containersOf(name)).filter(({ id }) => before.every((old) => old.id !== id));
    const told = await compose.lastLinesOf(fresh);
    for (const { id } of fresh) await removeContainer(id);
    throw new Error(
      [(error as Error).message, ...told, "The new containers were removed; the old ones keep serving."].join(
        "\n",
      ),
    );
  }
  await Promise.all(
    changed
      .flatMap(({ old }) => old)
      .map(async ({ id }) => {
        await stopContainer(id);
        await removeContainer(id);
      }),
  );
}
