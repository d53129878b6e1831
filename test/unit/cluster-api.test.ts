import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ClusterApi } from "../../infra/cluster/api.ts";
import { ApiError, KubeconfigError, UnreachableError } from "../../infra/cluster/errors.ts";
import { pem } from "./certificate.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-test-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function kubeconfig(server: string, context = "one"): void {
  const path = join(folder, "config");
  const config = {
    "current-context": context,
    clusters: [{ name: "c", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "u", user: { token: "the-token" } }],
    contexts: [{ name: "one", context: { cluster: "c", user: "u" } }],
  };
  writeFileSync(path, JSON.stringify(config));
  vi.stubEnv("KUBECONFIG", path);
}

/** Answers requests one after the other with these, or hangs up instead; what was asked. */
async function answering(
  answers: readonly ([number, unknown, Record<string, string>?] | "hang up")[],
  use: (api: ClusterApi) => Promise<unknown>,
): Promise<string[]> {
  const asked: string[] = [];
  const left = [...answers];
  const { certificate, key } = await pem("localhost");
  const server = createServer(
    { cert: certificate, key },
    (request: IncomingMessage, response: ServerResponse) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      const answer = left.shift()!;
      if (answer === "hang up") return void request.socket.destroy();
      const [code, body, headers] = answer;
      response.writeHead(code, { "content-type": "application/json", ...headers });
      response.end(typeof body === "string" ? body : JSON.stringify(body));
    },
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  kubeconfig(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await use(ClusterApi.open());
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return asked;
}

describe("a kubeconfig", () => {
  test.each<[string, () => string | undefined, string]>([
    [
      "that is not there",
      () => void vi.stubEnv("KUBECONFIG", join(folder, "missing")),
      "the kubeconfig is not readable: ENOENT",
    ],
    ["without a current context", () => void kubeconfig("https://a", ""), "there is no kubeconfig"],
    [
      "without encryption",
      () => void kubeconfig("http://a.example.com"),
      "names http://a.example.com, which is not https",
    ],
    ["without that context", () => (kubeconfig("https://a"), "two"), "has no cluster for the context two"],
    [
      "that is no YAML",
      () => {
        kubeconfig("https://a");
        writeFileSync(join(folder, "config"), "users: [ token: the-token\n  : :");
        return undefined;
      },
      "the kubeconfig is not readable: ",
    ],
  ])("%s is told in one line, without what stands in it", (_, given, expected) => {
    const context = given();
    const open = () => ClusterApi.open(context);
    expect(open).toThrow(KubeconfigError);
    expect(open).toThrow(expected);
    expect(open).not.toThrow("the-token");
  });

  test("names the server", () => {
    kubeconfig("https://a.example.com:6443/");
    expect(ClusterApi.open("one").server).toBe("https://a.example.com:6443");
  });
});

describe("a request", () => {
  test("gets a log as the text that it is, also where that is JSON", async () => {
    const line = '{"level":"error","message":"no database"}\n';
    await answering([[200, line]], async (api) => expect(await api.text("/log")).toBe(line));
  });

  test("is sent with the credentials, and again while the server asks for that", async () => {
    const busy = [429, { message: "busy" }, { "retry-after": "0" }] as [
      number,
      unknown,
      Record<string, string>,
    ];
    const asked = await answering(
      [busy, [503, {}, { "retry-after": "0" }], [200, { kind: "Pod" }]],
      async (api) => expect(await api.get("/a")).toEqual({ kind: "Pod" }),
    );
    expect(asked).toEqual(Array.from({ length: 3 }, () => "GET /a Bearer the-token"));
  });

  test("is sent again where an older connection is closed, and not where a new one is", async () => {
    await answering([[200, { kind: "A" }], "hang up", [200, { kind: "B" }]], async (api) => {
      await api.get("/a");
      expect(await api.get("/b")).toEqual({ kind: "B" });
    });
    await answering(["hang up"], (api) => expect(api.get("/a")).rejects.toThrow("no answer from https://"));
  });

  test("that a proxy answers is told by its status and the beginning of its page", async () => {
    await answering([[502, `<html>${"x".repeat(500)}`]], async (api) => {
      await expect(api.get("/a")).rejects.toThrow(/^status 502: <html>x{194}$/);
    });
  });

  test("finds nothing where nothing is", async () => {
    await answering([[404, { message: "not found" }]], async (api) =>
      expect(await api.get("/a")).toBeUndefined(),
    );
  });

  test("that is refused tells the field and the fault, and no value", async () => {
    const causes = [
      {
        field: "spec.template",
        message: 'Invalid value: {"env":[{"value":"hunter2: x"}]}: field is immutable',
      },
      { field: "spec.ports[1]", message: 'Duplicate value: "hunter2"' },
      { field: "spec.type", message: "Required value" },
    ];
    const body = { reason: "Invalid", message: "hunter2", details: { causes } };
    await answering([[422, body]], async (api) => {
      const error = await api.request("PATCH", "/a", { body: {} }).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ApiError);
      expect(error).toMatchObject({
        code: 422,
        message:
          "Invalid: spec.template: field is immutable; spec.ports[1]: Duplicate value; spec.type: Required value",
      });
    });
  });

  test("that nobody answers says so", async () => {
    kubeconfig("https://127.0.0.1:1");
    const error = await ClusterApi.open()
      .get("/a")
      .catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UnreachableError);
    expect((error as Error).message).toBe(
      "no answer from https://127.0.0.1:1 (connect ECONNREFUSED 127.0.0.1:1)",
    );
  });
});
