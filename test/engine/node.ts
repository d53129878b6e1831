import { setTimeout as sleep } from "node:timers/promises";
import type { V1Pod } from "@kubernetes/client-node";
import type { ClusterApi } from "../../infra/cluster/api.ts";

/**
 * A stand-in for a node with its kubelet and the scheduler: it says of each pod that it runs and is ready, and of each
 * pod of a Job that it has succeeded. No container runs.
 */
export class StandInNode {
  /** Names of services whose pods fail. */
  readonly failing = new Set<string>();
  readonly #api: ClusterApi;
  readonly #work: Promise<void>;
  #stopped = false;

  constructor(api: ClusterApi) {
    this.#api = api;
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  async #run(): Promise<void> {
    for (; !this.#stopped; await sleep(200)) {
      // The API server may be away.
      const pods = await this.#api.list<V1Pod>("/api/v1/pods").catch(() => []);
      for (const pod of pods) if (pod.status?.phase === "Pending") await this.#settle(pod);
    }
  }

  async #settle({ metadata, spec }: V1Pod): Promise<void> {
    const isJob = metadata!.ownerReferences?.[0]?.kind === "Job";
    const fails = this.failing.has(metadata!.labels?.["app.kubernetes.io/name"] ?? "");
    const at = new Date().toISOString();
    const ended = {
      exitCode: fails ? 1 : 0,
      reason: fails ? "Error" : "Completed",
      startedAt: at,
      finishedAt: at,
    };
    const state = isJob || fails ? { terminated: ended } : { running: { startedAt: at } };
    const isReady = !isJob && !fails;
    const status = {
      phase: isJob ? (fails ? "Failed" : "Succeeded") : "Running",
      startTime: at,
      conditions: ["Ready", "ContainersReady"].map((type) => ({
        type,
        status: isReady ? "True" : "False",
        lastTransitionTime: at,
      })),
      containerStatuses: spec!.containers.map(({ name, image }) => ({
        ...{ name, image, imageID: image, state },
        ...{ ready: isReady, started: isReady, restartCount: 0 },
      })),
    };
    const path = `/api/v1/namespaces/${metadata!.namespace}/pods/${metadata!.name}/status`;
    const contentType = "application/merge-patch+json";
    // It may be gone by now.
    await this.#api.request("PATCH", path, { body: { status }, contentType }).catch(() => undefined);
  }
}
