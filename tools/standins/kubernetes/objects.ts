// Objects on the API server, by server-side apply.
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterApi, KubernetesObject } from "../../../infra/cluster/api.ts";
import { ApiError } from "../../../infra/cluster/errors.ts";

const MANAGER = "pulumi-kubernetes";

export interface ApplyOptions {
  /** Take over fields that somebody else has set. */
  force: boolean;
  dryRun?: boolean;
}

interface ApiResource {
  kind: string;
  name: string;
  namespaced: boolean;
}

/** An object's id in the state. */
export function idOf({ metadata: { name, namespace } }: KubernetesObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** The objects of one cluster. */
export class Objects {
  readonly api: ClusterApi;
  readonly #resources = new Map<string, readonly ApiResource[]>();

  constructor(api: ClusterApi) {
    this.api = api;
  }

  /** An object as it is on the API server; undefined when it is not there. */
  async find(object: KubernetesObject): Promise<KubernetesObject | undefined> {
    try {
      return await this.api.request("GET", await this.#path(object));
    } catch (error) {
      // Where its kind is gone, so is the object.
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  /** Makes an object what `object` says, and returns it as it is then. */
  async apply(object: KubernetesObject, { force, dryRun = false }: ApplyOptions): Promise<KubernetesObject> {
    const query = new URLSearchParams({
      fieldManager: MANAGER,
      fieldValidation: "Strict",
      force: String(force),
      ...(dryRun && { dryRun: "All" }),
    });
    const sent = { body: object, contentType: "application/apply-patch+yaml" };
    return this.api.request("PATCH", `${await this.#path(object)}?${query.toString()}`, sent);
  }

  /** Asks for an object's deletion, what it owns first. One that was made anew since is left alone. */
  async remove(object: KubernetesObject): Promise<void> {
    const body = {
      kind: "DeleteOptions",
      apiVersion: "v1",
      propagationPolicy: "Foreground",
      preconditions: { uid: object.metadata.uid },
    };
    try {
      await this.api.request("DELETE", await this.#path(object), { body });
    } catch (error) {
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    }
  }

  async #path({ apiVersion, kind, metadata }: KubernetesObject): Promise<string> {
    const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    const known = () =>
      this.#resources.get(base)?.find((one) => one.kind === kind && !one.name.includes("/"));
    // Asked again for a kind that is missing: it may have been defined since.
    if (known() === undefined)
      this.#resources.set(
        base,
        (await this.api.request<{ resources: ApiResource[] }>("GET", base)).resources,
      );
    const resource = known();
    if (resource === undefined)
      throw new ApiError(404, `the API server has no kind ${kind} in ${apiVersion}`);
    const scope = resource.namespaced ? `/namespaces/${metadata.namespace ?? this.api.namespace}` : "";
    return `${base}${scope}/${resource.name}/${encodeURIComponent(metadata.name)}`;
  }
}

/** Waits until an object is gone. Throws with what holds it, when that takes longer than `seconds` or is given up. */
export async function untilGone(
  objects: Objects,
  was: KubernetesObject,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<void> {
  for (const end = Date.now() + 1000 * seconds; ; await sleep(300)) {
    const live = await objects.find(was);
    if (live === undefined || live.metadata.uid !== was.metadata.uid) return;
    if (signal.aborted || Date.now() > end) {
      const holders = live.metadata.finalizers?.join(", ") ?? "nothing";
      throw new Error(`${was.kind} ${idOf(was)} is still there, held by ${holders}`);
    }
  }
}
