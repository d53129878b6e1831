import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { ClusterError } from "../../infra/cluster/errors.ts";
import { log } from "../terminal/output.ts";
import { reason, redactorOf } from "./trouble-report.ts";
import { type Labelled, serviceOf, type Trouble, troubles } from "./troubles.ts";

/** Milliseconds. */
const POLL = 2000;

const WORKLOADS = ["Deployment", "StatefulSet", "Job"];
const WAITED_FOR = ["create", "update", "create-replacement"];

/**
 * Looks at the pods that the engine waits for, and ends its run when waiting has no more sense: it would wait until
 * Kubernetes gives up, which takes five minutes for a misspelt image.
 */
export class PodWatch {
  readonly #given = new AbortController();
  readonly #stopped = new AbortController();
  /** The services that are waited for, by the resource. */
  readonly #waitedFor = new Map<string, string>();
  readonly #since = new Map<string, number>();
  readonly #work: Promise<void>;

  constructor(api: ClusterApi, stack: string) {
    this.#work = this.#watch(api, stack);
  }

  /** Is aborted when it gives up. */
  get signal(): AbortSignal {
    return this.#given.signal;
  }

  /** Has to see the events of the run. */
  readonly onEvent = ({ resourcePreEvent, resOutputsEvent, resOpFailedEvent }: EngineEvent): void => {
    const ended = resOutputsEvent ?? resOpFailedEvent;
    if (ended !== undefined) this.#waitedFor.delete(ended.metadata.urn);
    const { urn, type, op, new: next } = resourcePreEvent?.metadata ?? {};
    if (!WAITED_FOR.includes(op ?? "") || !WORKLOADS.includes(type!.split(":").at(-1)!)) return;
    this.#waitedFor.set(urn!, serviceOf(next!.inputs as Labelled));
  };

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#work;
  }

  async #watch(api: ClusterApi, stack: string): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted && !this.signal.aborted) {
      await pause(signal);
      if (signal.aborted) return;
      const lasting = this.#lasting(await troublesOrNone(api, stack));
      if (lasting === undefined) continue;
      this.#given.abort();
      const redacted = await redactorOf(api).catch(() => undefined);
      log(`${lasting.service} will not become ready: ${reason(lasting.why, redacted)}`);
    }
  }

  /** The first that has been there for longer than its patience without a break. */
  #lasting(all: readonly Trouble[]): Trouble | undefined {
    const now = Date.now();
    const services = [...this.#waitedFor.values()];
    const found = all.filter(({ service }) => services.includes(service));
    const keys = found.map(({ service, patience }) => `${service} ${patience}`);
    for (const key of this.#since.keys()) if (!keys.includes(key)) this.#since.delete(key);
    for (const key of keys) if (!this.#since.has(key)) this.#since.set(key, now);
    return found.find(({ patience }, index) => now - this.#since.get(keys[index]!)! >= 1000 * patience);
  }
}

/** A look never ends a run by its own failure: an API server that does not answer is the engine's to tell of. */
async function troublesOrNone(api: ClusterApi, stack: string): Promise<Trouble[]> {
  try {
    return await troubles(api, stack);
  } catch (error) {
    if (!(error instanceof ClusterError)) log(`The pods cannot be watched: ${(error as Error).message}`);
    return [];
  }
}

/** Until the next look, or the end of the watch. */
function pause(end: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, POLL);
    end.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
