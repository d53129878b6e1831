// A resource provider over Pulumi's provider protocol, for machines that cannot download the official plugin.
import { isDeepStrictEqual } from "node:util";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { endWithEngine } from "./lifetime.ts";
import { STAND_IN } from "./mark.ts";
import {
  EngineLog,
  listen,
  pluginInfo,
  type Props,
  propsOf,
  type Say,
  structOf,
  typeOf,
  unary,
} from "./protocol.ts";

export type { Props, Say } from "./protocol.ts";

interface Made {
  id: string;
  outputs: Props;
}

export interface Behaviour {
  /** The inputs that each type of resource takes. Any other type, and any other input, is refused. */
  types: Record<string, readonly string[]>;
  /** Inputs whose change replaces the resource. */
  replaces: readonly string[];
  create(type: string, inputs: Props, say: Say): Made | Promise<Made>;
  update(type: string, inputs: Props, old: Props, say: Say): Props | Promise<Props>;
  /** What is there with an id that a program imports. Default: nothing can be imported. */
  find?(type: string, id: string): { id: string; inputs: Props };
  /** Answers a function, by its token. Default: there is none. */
  invoke?(token: string, args: Props): Props;
  remove?(type: string, outputs: Props, say: Say): Promise<void>;
  cancel?(): void;
}

/** Serves the provider of npm package `@pulumi/<name>`; prints its port, as the engine expects. */
export function serve(name: string, behaviour: Behaviour): void {
  const log = new EngineLog();
  const cancel = () => behaviour.cancel?.();
  endWithEngine(cancel);
  listen({
    getPluginInfo: pluginInfo(name),
    checkConfig: unary((request: provider.CheckRequest) => {
      const response = new provider.CheckResponse();
      response.setInputs(structOf({ ...propsOf(request.getNews()), [STAND_IN]: true }));
      return response;
    }),
    diffConfig: unary(() => new provider.DiffResponse()),
    configure: unary(() => {
      // The engine then unwraps secret inputs, and marks outputs of the same name as secret.
      const response = new provider.ConfigureResponse();
      response.setAcceptsecrets(false);
      return response;
    }),
    check: unary((request: provider.CheckRequest) => {
      const response = new provider.CheckResponse();
      response.setInputs(request.getNews());
      response.setFailuresList(refusals(behaviour, typeOf(request.getUrn()), propsOf(request.getNews())));
      return response;
    }),
    diff: unary((request: provider.DiffRequest) => {
      const [old, now] = [propsOf(request.getOldInputs()), propsOf(request.getNews())];
      const changed = behaviour.types[typeOf(request.getUrn())]!.filter(
        (key) => !isDeepStrictEqual(old[key], now[key]),
      );
      const response = new provider.DiffResponse();
      const { DIFF_SOME, DIFF_NONE } = provider.DiffResponse.DiffChanges;
      response.setChanges(changed.length > 0 ? DIFF_SOME : DIFF_NONE);
      response.setDiffsList(changed);
      response.setReplacesList(changed.filter((key) => behaviour.replaces.includes(key)));
      return response;
    }),
    create: unary(async (request: provider.CreateRequest) => {
      const inputs = propsOf(request.getProperties());
      const made = await behaviour.create(typeOf(request.getUrn()), inputs, log.teller(request.getUrn()));
      const response = new provider.CreateResponse();
      response.setId(made.id);
      response.setProperties(structOf({ ...inputs, ...made.outputs }));
      return response;
    }),
    update: unary(async (request: provider.UpdateRequest) => {
      const [inputs, old] = [propsOf(request.getNews()), propsOf(request.getOlds())];
      const outputs = await behaviour.update(
        typeOf(request.getUrn()),
        inputs,
        old,
        log.teller(request.getUrn()),
      );
      const response = new provider.UpdateResponse();
      response.setProperties(structOf({ ...inputs, ...outputs }));
      return response;
    }),
    delete: unary(async (request: provider.DeleteRequest) => {
      const outputs = propsOf(request.getProperties());
      await behaviour.remove?.(typeOf(request.getUrn()), outputs, log.teller(request.getUrn()));
      return new empty.Empty();
    }),
    read: unary((request: provider.ReadRequest) => {
      const response = new provider.ReadResponse();
      response.setId(request.getId());
      response.setProperties(request.getProperties());
      response.setInputs(request.getInputs());
      // Without inputs it is an import.
      if (behaviour.find !== undefined && request.getInputs() === undefined) {
        const { id, inputs } = behaviour.find(typeOf(request.getUrn()), request.getId());
        response.setId(id);
        response.setInputs(structOf(inputs));
        response.setProperties(structOf(inputs));
      }
      return response;
    }),
    invoke: unary((request: provider.InvokeRequest) => {
      const response = new provider.InvokeResponse();
      if (behaviour.invoke === undefined) throw new Error(`the stand-in does not know ${request.getTok()}`);
      response.setReturn(structOf(behaviour.invoke(request.getTok(), propsOf(request.getArgs()))));
      return response;
    }),
    cancel: unary(() => {
      cancel();
      return new empty.Empty();
    }),
  });
}

function refusals({ types }: Behaviour, type: string, inputs: Props): provider.CheckFailure[] {
  const known = types[type];
  const unknown = known === undefined ? [""] : Object.keys(inputs).filter((key) => !known.includes(key));
  return unknown.map((key) => {
    const failure = new provider.CheckFailure();
    failure.setProperty(key);
    failure.setReason(
      known === undefined ? `the stand-in does not know ${type}` : "the stand-in does not know this input",
    );
    return failure;
  });
}
