import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";

test("every command asks through HTTPS_PROXY and HTTP_PROXY, but for the hosts of NO_PROXY", async () => {
  const asked: string[] = [];
  const proxy = createServer((_, response) => void response.end("by the proxy")).on(
    "connect",
    ({ url }, socket) => {
      asked.push(url!);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      if (url!.endsWith(":80")) proxy.emit("connection", socket);
      else socket.end();
    },
  );
  await new Promise<void>((resolve) => void proxy.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
  const script = join(folder, "ask.mjs");
  writeFileSync(
    script,
    `for (const url of process.argv.slice(2))
       console.log(await fetch(url).then((answer) => answer.text(), () => "nothing"));`,
  );
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        join(projectRoot, "tools", "bootstrap.mjs"),
        relative(projectRoot, script),
        "http://plain.invalid/",
        "https://secure.invalid/",
        "https://own.invalid/",
      ],
      { env: { PATH: process.env.PATH, HTTP_PROXY: url, HTTPS_PROXY: url, NO_PROXY: "own.invalid" } },
    );
    expect(stdout).toBe("by the proxy\nnothing\nnothing\n");
    expect(asked).toEqual(["plain.invalid:80", "secure.invalid:443"]);
  } finally {
    proxy.close();
    rmSync(folder, { recursive: true });
  }
});
