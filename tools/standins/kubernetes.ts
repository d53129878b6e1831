// A stand-in for the plugin of @pulumi/kubernetes: single objects of any kind, by server-side apply. It makes up no
// names, imports nothing, and knows neither charts nor lists nor patches.
import { setTimeout as sleep } from "node:timers/promises";
import { Metadata, status } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import rpc from "@pulumi/pulumi/proto/status_pb.js";
import any from "google-protobuf/google/protobuf/any_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { ClusterApi, type KubernetesObject } from "../../infra/cluster/api.ts";
import { ApiError, KubeconfigError, UnreachableError } from "../../infra/cluster/errors.ts";
import { drifted, type Mutability, otherCluster, replacing } from "./kubernetes/diff.ts";
import { idOf, Objects, untilGone } from "./kubernetes/objects.ts";
import { isOwnAddress } from "./kubernetes/own-address.ts";
import { compact, guarded, hasUnknown, kept, UNKNOWN, type Value, type Values } from "./kubernetes/values.ts";
import { limitOf, NotReady, unreadiness, untilReady } from "./kubernetes/wait.ts";
import { endWithEngine } from "./lifetime.ts";
import { STAND_IN } from "./mark.ts";
import { EngineLog, listen, pluginInfo, propsOf, RpcError, structOf, unary } from "./protocol.ts";

/** How often a creation is tried whose namespace or kind may be about to appear. */
const ATTEMPTS = 5;

const log = new EngineLog();
const stop = new AbortController();
const mutability: Mutability = { secrets: false, configMaps: false };
let force = false;
let upsert = false;
/** The cluster, or why there is none. */
let cluster: Objects | Error = new Error("no provider was configured");
let warned = false;

endWithEngine(() => stop.abort());

function reachable(): Objects {
  if (cluster instanceof Error) throw cluster;
  return cluster;
}

/** Tries an apply for a preview. Undefined where the cluster cannot tell: it does not answer, or lacks what the run makes. */
async function tried(urn: string, object: KubernetesObject): Promise<KubernetesObject | undefined> {
  if (hasUnknown(object as unknown as Value)) return undefined;
  try {
    return await reachable().apply(object, { force: true, dryRun: true });
  } catch (error) {
    const away = error instanceof UnreachableError || error instanceof KubeconfigError || error === cluster;
    if (away && !warned) {
      warned = true;
      log.warn(urn, `Nothing was compared with the cluster: ${(error as Error).message}`);
    }
    if (away) return undefined;
    // What it is to replace is still there; its namespace or its kind is not there yet.
    const passing =
      error instanceof ApiError && (error.code === 404 || /immutable|forbidden/.test(error.message));
    if (passing) return undefined;
    throw error;
  }
}

async function created(urn: string, object: KubernetesObject, seconds: number): Promise<KubernetesObject> {
  const objects = reachable();
  for (let attempt = 1; ; attempt++)
    try {
      const there = await objects.find(object);
      if (there?.metadata.deletionTimestamp !== undefined)
        await untilGone(objects, there, { seconds: limitOf(object, seconds), signal: stop.signal });
      else if (there !== undefined && !upsert)
        throw new ApiError(409, `${object.kind} ${idOf(object)} already exists`);
      const applied = await objects.apply(object, { force });
      return await untilReady(objects, applied, { seconds, signal: stop.signal, say: log.teller(urn) });
    } catch (error) {
      const missing = error instanceof ApiError && error.code === 404;
      if (!missing || attempt === ATTEMPTS || stop.signal.aborted) throw error;
      log.teller(urn)(`again soon: ${error.message}`);
      await sleep(1000 * attempt);
    }
}

/** What the state keeps of an object. */
function outputsOf(live: KubernetesObject) {
  return structOf(guarded(kept(live as unknown as Values)));
}

/** An error as the engine understands it: UNKNOWN tells that nobody knows whether the request was carried out. */
function told(error: unknown, inputs?: Values): unknown {
  if (error instanceof NotReady) {
    const failed = new provider.ErrorResourceInitFailed();
    failed.setId(idOf(error.live));
    failed.setProperties(outputsOf(error.live));
    failed.setReasonsList([...error.reasons]);
    if (inputs !== undefined) failed.setInputs(structOf(guarded(inputs)));
    const detail = new any.Any();
    detail.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const message = new rpc.Status();
    message.setCode(status.UNKNOWN);
    message.setMessage(error.message);
    message.setDetailsList([detail]);
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(message.serializeBinary()));
    return new RpcError(status.UNKNOWN, error.message, metadata);
  }
  const refused = error instanceof ApiError && error.code < 500;
  if (refused || error instanceof KubeconfigError)
    return new RpcError(status.FAILED_PRECONDITION, error.message);
  return error;
}

async function telling<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw told(error);
  }
}

function objectOf(props: Record<string, unknown>): KubernetesObject {
  return props as unknown as KubernetesObject;
}

listen({
  getPluginInfo: pluginInfo("kubernetes"),
  checkConfig: unary((request: provider.CheckRequest) => {
    const response = new provider.CheckResponse();
    response.setInputs(structOf({ ...propsOf(request.getNews()), [STAND_IN]: true }));
    return response;
  }),
  diffConfig: unary((request: provider.DiffRequest) => {
    const response = new provider.DiffResponse();
    const [old, now] = [request.getOldInputs(), request.getNews()].map((bag) => propsOf(bag) as Values);
    response.setReplacesList(otherCluster(old!, now!));
    return response;
  }),
  configure: unary((request: provider.ConfigureRequest) => {
    const variables = request.getVariablesMap();
    const input = (name: string) => variables.get(`kubernetes:config:${name}`);
    mutability.secrets = input("enableSecretMutable") === "true";
    mutability.configMaps = input("enableConfigMapMutable") === "true";
    force = input("enablePatchForce") === "true";
    upsert = input("upsertExistingObjects") === "true";
    try {
      const api = ClusterApi.open(input("context"));
      // What a stand-in does is for trying and testing alone.
      cluster = isOwnAddress(new URL(api.server).hostname)
        ? new Objects(api)
        : new Error(
            `${api.server} is not on this machine nor in a private network of it, so a stand-in for Pulumi's plugin must not deploy to it. ` +
              "Fix: pulumi plugin install resource kubernetes",
          );
    } catch (error) {
      cluster = error as Error;
    }
    const response = new provider.ConfigureResponse();
    // The engine then unwraps secret inputs, and marks outputs at the same paths as secret.
    response.setAcceptsecrets(false);
    response.setSupportspreview(true);
    return response;
  }),
  check: unary((request: provider.CheckRequest) => {
    const inputs = compact(propsOf(request.getNews()) as Values) as Values;
    const response = new provider.CheckResponse();
    response.setInputs(structOf(guarded(inputs)));
    const { name } = (inputs.metadata ?? {}) as Values;
    for (const [property, reason] of [
      ["apiVersion", inputs.apiVersion === undefined && "is missing"],
      ["kind", inputs.kind === undefined && "is missing"],
      ["metadata.name", name === undefined && "is missing: a stand-in makes up no names"],
      ["stringData", inputs.stringData !== undefined && "is not known to the stand-in: use data"],
    ] as const) {
      if (reason === false) continue;
      const failure = new provider.CheckFailure();
      failure.setProperty(property);
      failure.setReason(reason);
      response.addFailures(failure);
    }
    return response;
  }),
  // What an update cannot do; which inputs differ, the engine finds out and shows by itself.
  diff: unary((request: provider.DiffRequest) => {
    const [old, now] = [request.getOldInputs(), request.getNews()].map((bag) => propsOf(bag) as Values);
    const replaces = replacing(old!, now!, mutability);
    const response = new provider.DiffResponse();
    response.setReplacesList(replaces);
    const sameName = idOf(old as never) === idOf(now as never);
    response.setDeletebeforereplace(replaces.length > 0 && sameName);
    return response;
  }),
  create: unary(async (request: provider.CreateRequest) => {
    const inputs = propsOf(request.getProperties()) as Values;
    const object = objectOf(inputs);
    const response = new provider.CreateResponse();
    if (request.getPreview()) {
      await telling(tried(request.getUrn(), object));
      const metadata = { ...(inputs.metadata as Values), uid: UNKNOWN };
      response.setProperties(structOf(guarded({ ...inputs, status: UNKNOWN, metadata })));
      return response;
    }
    const live = await telling(created(request.getUrn(), object, request.getTimeout()));
    response.setId(idOf(live));
    response.setProperties(outputsOf(live));
    return response;
  }),
  update: unary(async (request: provider.UpdateRequest) => {
    const inputs = propsOf(request.getNews()) as Values;
    const object = objectOf(inputs);
    const response = new provider.UpdateResponse();
    if (request.getPreview()) {
      const live = await telling(tried(request.getUrn(), object));
      response.setProperties(live === undefined ? structOf(guarded(inputs)) : outputsOf(live));
      return response;
    }
    const say = log.teller(request.getUrn());
    const update = async () => {
      const applied = await reachable().apply(object, { force });
      return untilReady(reachable(), applied, { seconds: request.getTimeout(), signal: stop.signal, say });
    };
    response.setProperties(outputsOf(await telling(update())));
    return response;
  }),
  read: unary(async (request: provider.ReadRequest) => {
    const inputs = propsOf(request.getInputs()) as Values;
    if (inputs.kind === undefined)
      throw new RpcError(status.UNIMPLEMENTED, "the stand-in for @pulumi/kubernetes imports nothing");
    const object = objectOf(inputs);
    const response = new provider.ReadResponse();
    const live = await telling(reachable().find(object));
    if (live === undefined) return response; // without an id it counts as gone
    const applied = await telling(
      reachable().apply(object, { force: true, dryRun: true }).catch(refusedAs(object)),
    );
    const found = drifted(inputs, applied as unknown as Value, live as unknown as Value) as Values;
    const missing = await unreadiness(reachable(), live);
    if (missing !== undefined) throw told(missing, found);
    response.setId(request.getId());
    response.setInputs(structOf(guarded(found)));
    response.setProperties(outputsOf(live));
    return response;
  }),
  delete: unary(async (request: provider.DeleteRequest) => {
    const object = objectOf(propsOf(request.getProperties()));
    const remove = async () => {
      const live = await reachable().find(object);
      if (live === undefined || (object.metadata.uid ?? live.metadata.uid) !== live.metadata.uid) return;
      await reachable().remove(live);
      const seconds = limitOf(object, request.getTimeout());
      await untilGone(reachable(), live, { seconds, signal: stop.signal });
    };
    await telling(remove());
    return new empty.Empty();
  }),
  cancel: unary(() => {
    stop.abort();
    return new empty.Empty();
  }),
});

/** Where an apply is refused, since a field cannot change any more, the live object is compared with the inputs themselves. */
function refusedAs(object: KubernetesObject) {
  return (error: unknown) => {
    if (error instanceof ApiError && error.code === 422) return object;
    throw error;
  };
}
