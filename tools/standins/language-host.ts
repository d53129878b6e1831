// A stand-in for the official language host of Node: starts the program with the runner that @pulumi/pulumi ships,
// under the Node that runs this file.
import { type ChildProcess, spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { LanguageRuntimeService } from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { endWithEngine } from "./lifetime.ts";

type Reply = (error: null, message: unknown) => void;

const require = createRequire(import.meta.url);
const runner = require.resolve("@pulumi/pulumi/cmd/run/index.js");
const { version } = require("@pulumi/pulumi/package.json") as { version: string };
const engine = process.argv.at(-1)!;
/** What the runner ends with when it has told the user all there is to say. */
const ALREADY_REPORTED = 32;
const programs = new Set<ChildProcess>();

/** Runs the program of a stack to its end. */
function run({ request }: { request: language.RunRequest }, reply: Reply): void {
  const info = request.getInfo()!;
  const args = [
    runner,
    `--monitor=${request.getMonitorAddress()}`,
    `--engine=${engine}`,
    `--organization=${request.getOrganization()}`,
    `--project=${request.getProject()}`,
    `--stack=${request.getStack()}`,
    `--root-directory=${info.getRootDirectory()}`,
    `--pwd=${request.getPwd()}`,
    `--parallel=${request.getParallel()}`,
    ...(request.getDryrun() ? ["--dry-run"] : []),
    join(info.getProgramDirectory(), info.getEntryPoint()),
    ...request.getArgsList(),
  ];
  const child = spawn(process.execPath, args, {
    cwd: info.getRootDirectory(),
    stdio: ["ignore", "inherit", "inherit"],
    env: {
      ...process.env,
      PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().entries())),
      PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
    },
  });
  programs.add(child);
  let failure: string | undefined;
  child.on("error", ({ message }) => (failure = message));
  child.on("close", (code, signal) => {
    programs.delete(child);
    const response = new language.RunResponse();
    if (code === ALREADY_REPORTED) response.setBail(true);
    else if (code !== 0)
      response.setError(failure ?? `the program ended with ${signal ?? `exit code ${code}`}`);
    reply(null, response);
  });
}

function cancel(): void {
  for (const program of programs) program.kill("SIGTERM");
}

endWithEngine(cancel);
const server = new Server({ "grpc.max_receive_message_length": -1 });
server.addService(LanguageRuntimeService, {
  handshake: (_: unknown, reply: Reply) => reply(null, new language.LanguageHandshakeResponse()),
  getRequiredPlugins: (_: unknown, reply: Reply) => reply(null, new language.GetRequiredPluginsResponse()),
  getRequiredPackages: (_: unknown, reply: Reply) => reply(null, new language.GetRequiredPackagesResponse()),
  getPluginInfo: (_: unknown, reply: Reply) => {
    const info = new plugin.PluginInfo();
    info.setVersion(version);
    reply(null, info);
  },
  about: (_: unknown, reply: Reply) => {
    const response = new language.AboutResponse();
    response.setExecutable(process.execPath);
    response.setVersion(process.version);
    reply(null, response);
  },
  run,
  cancel: (_: unknown, reply: Reply) => {
    cancel();
    reply(null, new empty.Empty());
  },
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`${port}\n`);
});
