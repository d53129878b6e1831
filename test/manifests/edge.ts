import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, request as plainRequest, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import type { Manifest } from "../../infra/manifest.ts";
import { yamlText } from "../../infra/yaml.ts";
import { freePort } from "../docker/host.ts";
import { goTool } from "../../tools/setup/go-tool.ts";

export interface Asked {
  host: string;
  path?: string;
  method?: string;
  /** By HTTP. */
  plain?: boolean;
  headers?: Record<string, string>;
  /** Bytes. */
  body?: number;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** In how many parts the body came. */
  parts: number;
  /** What the service behind has seen; empty when Traefik has answered itself. */
  seen: { service?: string; url?: string; headers?: Record<string, string> };
}

const ROUTER = "traefik.ingress.kubernetes.io/router.";

/**
 * A real Traefik with the flags, Ingress and Middlewares of rendered manifests, before a service that tells what it was
 * asked. They reach it by its file provider, whose form is that of the manifests: no cluster is needed.
 */
export class Edge {
  readonly #folder = mkdtempSync(join(tmpdir(), "rejourney-edge-"));
  #traefik: ChildProcess | undefined;
  #service: Server | undefined;
  readonly #ports = { web: 0, websecure: 0 };

  /** `trusted` replaces the proxies that are believed; `users` is what the dashboard's Secret holds. */
  static async start(
    manifests: readonly Manifest[],
    { trusted, users = "" }: { trusted?: string; users?: string } = {},
  ): Promise<Edge> {
    const edge = new Edge();
    try {
      await edge.#start(manifests, trusted, users);
      return edge;
    } catch (error) {
      await edge.stop();
      throw error;
    }
  }

  async #start(manifests: readonly Manifest[], trusted: string | undefined, users: string): Promise<void> {
    const service = createServer((request, response) => {
      request.resume().on("end", () => {
        const { host, ...headers } = request.headers;
        const { "x-service": service } = headers;
        response.setHeader("content-type", "application/json");
        if (request.url === "/streamed") {
          // The rest only after the beginning has had the time to arrive.
          response.write(" ");
          return void setTimeout(() => response.end("{}"), 300);
        }
        response.end(JSON.stringify({ service, host, url: request.url, headers }));
      });
    });
    this.#service = service;
    await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
    const backend = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
    writeFileSync(join(this.#folder, "dynamic.yml"), yamlText(dynamic(manifests, backend, users)));
    for (const name of ["web", "websecure"] as const) this.#ports[name] = await freePort();
    const config = manifests.find(({ kind }) => kind === "HelmChartConfig")!.spec as {
      valuesContent: string;
    };
    const { additionalArguments } = parse(config.valuesContent) as { additionalArguments: string[] };
    const flags = additionalArguments.map((flag) =>
      trusted === undefined ? flag : flag.replace(/(trustedIPs)=.*/, `$1=${trusted}`),
    );
    const log = openSync(this.#log, "w");
    this.#traefik = spawn(
      await goTool("traefik", () => undefined),
      [
        ...flags,
        ...Object.entries(this.#ports).map(
          ([name, port]) => `--entryPoints.${name}.address=127.0.0.1:${port}`,
        ),
        `--providers.file.filename=${join(this.#folder, "dynamic.yml")}`,
        "--api=true", // as the chart has it
        "--global.sendanonymoususage=false",
        "--global.checknewversion=false",
      ],
      { stdio: ["ignore", log, log] },
    );
    for (let attempt = 0; attempt < 150; attempt++) {
      if (this.#traefik.exitCode !== null) break;
      const up = await this.ask({ host: "r.example.com" }).catch(() => undefined);
      if (up !== undefined && up.status !== 404) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Traefik does not answer:\n${this.log().slice(-2000)}`);
  }

  get #log(): string {
    return join(this.#folder, "traefik.log");
  }

  log(): string {
    return readFileSync(this.#log, "utf8");
  }

  ask({ host, path = "/", method, plain = false, headers = {}, body }: Asked): Promise<Answer> {
    const send = plain ? plainRequest : request;
    const options = {
      host: "127.0.0.1",
      port: this.#ports[plain ? "web" : "websecure"],
      path,
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...headers,
        host,
        // So that what is too large is refused before it is sent.
        ...(body !== undefined && { "content-length": String(body), expect: "100-continue" }),
      },
      servername: host,
      rejectUnauthorized: false,
      agent: false as const,
    };
    return new Promise((resolve, reject) => {
      const sent = send(options, (response) => {
        let [text, parts] = ["", 0];
        response.on("data", (part: Buffer) => {
          text += part.toString();
          parts++;
        });
        response.on("end", () => {
          const own = response.headers["content-type"] === "application/json";
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            parts,
            seen: own ? (JSON.parse(text) as Answer["seen"]) : {},
          });
        });
      });
      sent.on("error", reject);
      if (body === undefined) sent.end();
      else sent.on("continue", () => sent.end(Buffer.alloc(body))).flushHeaders();
    });
  }

  async stop(): Promise<void> {
    const traefik = this.#traefik;
    if (traefik !== undefined && traefik.exitCode === null) {
      const gone = new Promise((resolve) => traefik.once("exit", resolve));
      // At once: it would go on taking requests for its grace time.
      traefik.kill("SIGKILL");
      await gone;
    }
    this.#service?.closeAllConnections();
    this.#service?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface IngressSpec {
  tls?: object[];
  rules: { host: string; http: { paths: { path: string; backend: { service: { name: string } } }[] } }[];
}

interface RouteSpec {
  entryPoints: string[];
  routes: [{ match: string; middlewares: { name: string }[]; services: [{ name: string }] }];
  tls?: object;
}

/** The manifests in the form of Traefik's file provider. Each service tells its name by a header. */
function dynamic(manifests: readonly Manifest[], backend: string, users: string) {
  const ofKind = (kind: string) => manifests.filter((manifest) => manifest.kind === kind);
  const middlewares: Record<string, unknown> = Object.fromEntries(
    // A Secret is the one thing that a file has no word for.
    ofKind("Middleware").map(({ metadata, spec }) => [
      metadata.name,
      "basicAuth" in (spec as object) ? { basicAuth: { users: [users.trim()], removeHeader: true } } : spec,
    ]),
  );
  const routers = ofKind("Ingress").flatMap(({ metadata, spec }) => {
    const { annotations = {}, name } = metadata;
    const { rules, tls } = spec as IngressSpec;
    return rules.flatMap(({ host, http }, index) =>
      http.paths.map(({ path, backend: { service } }, at): [string, object] => [
        `${name}-${index}-${at}`,
        {
          rule: `Host(\`${host}\`) && PathPrefix(\`${path}\`)`,
          entryPoints: [annotations[`${ROUTER}entrypoints`]],
          middlewares: [
            ...annotations[`${ROUTER}middlewares`]!.split(",").map((one) =>
              one.replace(/^rejourney-(.*)@kubernetescrd$/, "$1"),
            ),
            `service-${service.name}`,
          ],
          service: "all",
          ...(tls && { tls: {} }),
        },
      ]),
    );
  });
  const dashboards = ofKind("IngressRoute").map(({ metadata, spec }): [string, object] => {
    const { entryPoints, routes, tls } = spec as RouteSpec;
    const { match: rule, middlewares, services } = routes[0];
    const names = middlewares.map(({ name }) => name);
    return [
      metadata.name,
      { rule, entryPoints, middlewares: names, service: services[0].name, tls: tls && {} },
    ];
  });
  const told = ["web", "api"].map((name): [string, object] => [
    `service-${name}`,
    { headers: { customRequestHeaders: { "X-Service": name } } },
  ]);
  return {
    http: {
      middlewares: { ...middlewares, ...Object.fromEntries(told) },
      routers: Object.fromEntries([...routers, ...dashboards]),
      services: { all: { loadBalancer: { servers: [{ url: backend }] } } },
    },
  };
}
