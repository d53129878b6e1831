import type { EventEmitter } from "node:events";
import { Agent, request, type RequestOptions } from "node:https";
import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Exec, KubeConfig } from "@kubernetes/client-node";
import { ApiError, KubeconfigError, UnreachableError } from "./errors.ts";

/** An object as the API server tells it; typed further by who reads it. */
export interface KubernetesObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    creationTimestamp?: string;
    deletionTimestamp?: string;
    finalizers?: string[];
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    /** Who has set which fields. */
    managedFields?: { manager?: string }[];
  };
  spec?: Record<string, unknown>;
  status?: Record<string, unknown>;
}

interface Sent {
  body?: unknown;
  contentType?: string;
}

/** Milliseconds. */
const TIMEOUT = 30_000;
const ATTEMPTS = 4;

/**
 * The API server of a cluster. Raw requests, since the typed client of the same library drops fields that it does not
 * know from what it sends: `from` of a NetworkPolicy, for one, which then allows everything.
 */
export class ClusterApi {
  /** Address of the API server. */
  readonly server: string;
  /** Namespace of objects that name none. */
  readonly namespace: string;
  readonly #config: KubeConfig;
  #options: RequestOptions | undefined;

  private constructor(config: KubeConfig) {
    this.#config = config;
    this.server = config.getCurrentCluster()!.server.replace(/\/$/, "");
    this.namespace = config.getContextObject(config.currentContext)?.namespace ?? "default";
  }

  /**
   * The cluster that a kubeconfig names: the one in KUBECONFIG, else `~/.kube/config`; `context`, else its current one.
   * Throws KubeconfigError. Asks the cluster nothing.
   */
  static open(context?: string): ClusterApi {
    const config = new KubeConfig();
    try {
      config.loadFromDefault();
    } catch (error) {
      // The first line: the others quote the file.
      const [line] = (error as Error).message.split("\n");
      throw new KubeconfigError(`the kubeconfig is not readable: ${line}`);
    }
    if (context !== undefined) config.setCurrentContext(context);
    const found = config.getCurrentCluster();
    if (found?.server.startsWith("https:")) return new ClusterApi(config);
    const asked = context ?? config.currentContext;
    if (found === null && asked !== "")
      throw new KubeconfigError(`the kubeconfig has no cluster for the context ${asked}`);
    // Without a kubeconfig the library makes up a cluster at http://localhost:8080.
    const none = found === null || found.server === "http://localhost:8080";
    throw new KubeconfigError(
      none
        ? "there is no kubeconfig with a current context: neither in KUBECONFIG nor in ~/.kube/config"
        : `the kubeconfig names ${found.server}, which is not https`,
    );
  }

  /** What is at a path; undefined where nothing is. */
  async get<T = KubernetesObject>(path: string): Promise<T | undefined> {
    try {
      return await this.request<T>("GET", path);
    } catch (error) {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    }
  }

  /** The items of a list. */
  async list<T>(path: string): Promise<T[]> {
    return (await this.request<{ items: T[] }>("GET", path)).items;
  }

  /** The answer to a request, which is sent again while the API server asks for that. Throws ApiError and UnreachableError. */
  async request<T = KubernetesObject>(method: string, path: string, sent: Sent = {}): Promise<T> {
    return valueOf(await this.#ask(method, path, sent)) as T;
  }

  /** What is at a path, as the text that it is, such as the log of a container. */
  text(path: string): Promise<string> {
    return this.#ask("GET", path, {});
  }

  /** Runs a command in a container: its standard streams. The end of its input ends it. Throws UnreachableError. */
  async exec(namespace: string, pod: string, container: string, command: string[]) {
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const streams = [stdout, stderr, stdin] as const;
    const exec = new Exec(this.#config);
    try {
      const socket: unknown = await exec.exec(namespace, pod, container, command, ...streams, false);
      (socket as EventEmitter).on("close", () => [stdout, stderr].forEach((stream) => stream.end()));
      return { stdin, stdout, stderr };
    } catch (error) {
      const { message } = error as Error;
      throw new UnreachableError(`no command in the pod ${pod} by ${this.server} (${message})`, false);
    }
  }

  async #ask(method: string, path: string, sent: Sent): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(method, path, sent);
      } catch (error) {
        // Every request here bears being sent twice.
        if (error instanceof UnreachableError && error.stale && attempt < ATTEMPTS) continue;
        if (!(error instanceof ApiError) || attempt === ATTEMPTS) throw error;
        const expired = error.code === 401 && attempt === 1;
        if (expired) this.#options = undefined;
        else if (error.code === 429 || (error.code >= 500 && error.retryAfter !== undefined))
          await sleep(1000 * (error.retryAfter ?? 1));
        else throw error;
      }
    }
  }

  async #send(method: string, path: string, { body, contentType }: Sent): Promise<string> {
    const url = new URL(this.server + path);
    const options = await this.#connection();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(options.headers as Record<string, string>),
      Accept: "application/json",
      ...(text !== undefined && {
        "Content-Type": contentType ?? "application/json",
        "Content-Length": Buffer.byteLength(text),
      }),
    };
    return new Promise<string>((resolve, reject) => {
      const lost = ({ message }: Error) =>
        reject(new UnreachableError(`no answer from ${this.server} (${message})`, asked.reusedSocket));
      const asked = request(url, { ...options, method, headers, timeout: TIMEOUT }, (response) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("error", lost);
        response.on("data", (part: string) => (answer += part));
        response.on("end", () => {
          const code = response.statusCode!;
          if (code < 300) return resolve(answer);
          const wait = Number(response.headers["retry-after"]);
          reject(new ApiError(code, refusal(code, valueOf(answer)), Number.isNaN(wait) ? undefined : wait));
        });
      });
      asked.on("error", lost);
      asked.on("timeout", () => asked.destroy(new Error(`none for ${TIMEOUT / 1000} s`)));
      asked.end(text);
    });
  }

  async #connection(): Promise<RequestOptions> {
    if (this.#options === undefined) {
      const options: RequestOptions = {};
      try {
        await this.#config.applyToHTTPSOptions(options);
      } catch (error) {
        throw new KubeconfigError(
          `the kubeconfig has invalid credentials: ${(error as Error).message.split("\n")[0]}`,
        );
      }
      if (options.agent instanceof Agent) Object.assign(options.agent, { keepAlive: true });
      this.#options = options;
    }
    return this.#options;
  }
}

/** JSON as a value; anything else, such as the error page of a proxy, as the text it is. */
function valueOf(answer: string): unknown {
  try {
    return JSON.parse(answer) as unknown;
  } catch {
    return answer;
  }
}

interface Status {
  reason?: string;
  message?: string;
  details?: { causes?: { field?: string; message?: string }[] };
}

// Of a 422, the fields and what is wrong with them: its text quotes values, a whole pod template for one.
function refusal(code: number, answer: unknown): string {
  if (typeof answer !== "object" || answer === null)
    return `status ${code}: ${String(answer).trim().slice(0, 200)}`;
  const { reason, message, details } = answer as Status;
  const causes = details?.causes ?? [];
  if (code !== 422 || causes.length === 0) return message ?? `status ${code}`;
  const shown = causes.map(({ field, message = "" }) => {
    return `${field}: ${message.replace(/^Invalid value: [\s\S]*: /, "").replace(/^(Duplicate value): [\s\S]*/, "$1")}`;
  });
  return `${reason}: ${shown.join("; ")}`;
}
