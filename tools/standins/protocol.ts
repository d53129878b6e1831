// What every stand-in for a plugin of the engine needs of Pulumi's protocols.
import { createRequire } from "node:module";
import {
  credentials,
  Server,
  ServerCredentials,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engine from "@pulumi/pulumi/proto/engine_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import { ResourceProviderService } from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";

export type Props = Record<string, unknown>;

/** Shows a line of a resource's progress to whoever watches the engine; it passes when the resource is done. */
export type Say = (line: string) => void;

type Reply = (error: { code: status; details: string } | null, message?: unknown) => void;

/** Serves a resource provider; prints its port, as the engine expects. Methods that are not there are unimplemented. */
export function listen(methods: UntypedServiceImplementation): void {
  const server = new Server({ "grpc.max_receive_message_length": -1 });
  server.addService(ResourceProviderService, methods);
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    process.stdout.write(`${port}\n`);
  });
}

/** A method of the provider. */
export function unary<Request>(answer: (request: Request) => unknown) {
  return ({ request }: { request: Request }, reply: Reply): void => {
    // A promise first, so that what throws at once is answered like what rejects.
    Promise.resolve(request)
      .then(answer)
      .then(
        (message) => reply(null, message),
        ({ message }: Error) => reply({ code: status.UNKNOWN, details: message }),
      );
  };
}

/** Tells the engine which version of the npm package `@pulumi/<name>` this stands in for. */
export function pluginInfo(name: string) {
  const { version } = createRequire(import.meta.url)(`@pulumi/${name}/package.json`) as { version: string };
  return unary(() => {
    const info = new plugin.PluginInfo();
    info.setVersion(version);
    return info;
  });
}

/** Messages to the engine that started this process. */
export class EngineLog {
  readonly #client = new EngineClient(process.argv.at(-1)!, credentials.createInsecure());

  /** A line of progress. */
  teller(urn: string): Say {
    return (line) => this.#send(urn, line);
  }

  #send(urn: string, line: string): void {
    const request = new engine.LogRequest();
    request.setSeverity(engine.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(line);
    request.setEphemeral(true);
    this.#client.log(request, () => {}); // a line that gets lost stops nothing
  }
}

export function typeOf(urn: string): string {
  return urn.split("::")[2]!.split("$").at(-1)!;
}

export function propsOf(struct: structs.Struct | undefined): Props {
  return struct?.toJavaScript() ?? {};
}

export function structOf(props: Props): structs.Struct {
  return structs.Struct.fromJavaScript(props as Record<string, structs.JavaScriptValue>);
}
