import { createHash } from "node:crypto";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { download } from "../../tools/setup/download.ts";

let folder: string;
let server: Server;
let base: string;
let published: string;
let archive: Buffer;
const lines: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
  mkdirSync(join(folder, "tool"));
  writeFileSync(join(folder, "tool", "program"), "it runs");
  execFileSync("tar", ["-czf", "tool.tar.gz", "tool"], { cwd: folder });
  archive = readFileSync(join(folder, "tool.tar.gz"));
  server = createServer(({ url }, response) => {
    if (url === "/tool.tar.gz") response.end(archive);
    else if (url === "/sums.txt") response.end(published);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  rmSync(join(folder, "got"), { recursive: true, force: true });
  published = `${createHash("sha256").update(archive).digest("hex")}  tool.tar.gz\n`;
});

const get = (name: string, from = base) =>
  download({
    url: `${from}/${name}`,
    sums: `${from}/sums.txt`,
    folder: join(folder, "got"),
    log: (line) => lines.push(line),
  });
const left = () => readdirSync(folder).filter((name) => name.startsWith("got"));

describe("a download", () => {
  test("that matches its checksum is unpacked, and nothing else is left", async () => {
    expect(await get("tool.tar.gz")).toBe(true);
    expect(readFileSync(join(folder, "got", "tool", "program"), "utf8")).toBe("it runs");
    expect(readdirSync(join(folder, "got"))).toEqual(["tool"]);
    expect(left()).toEqual(["got"]);
    expect(lines).toEqual(["Downloading tool.tar.gz …"]);
  });

  test.each([
    ["another checksum", () => `${"0".repeat(64)}  tool.tar.gz\n`],
    ["a checksum of another file alone", (sums: string) => sums.replace("tool.tar.gz", "other.zip")],
    ["an empty list", () => ""],
  ])("with %s is thrown away", async (_, change) => {
    published = change(published);
    await expect(get("tool.tar.gz")).rejects.toThrow(
      "tool.tar.gz does not match its published checksum, so it was deleted.",
    );
    expect(left()).toEqual([]);
  });

  test("that its server does not have, or whose server is not there, is no failure", async () => {
    expect(await get("other.tar.gz")).toBe(false);
    expect(await get("tool.tar.gz", "http://127.0.0.1:9")).toBe(false);
    expect(existsSync(join(folder, "got"))).toBe(false);
  });
});
