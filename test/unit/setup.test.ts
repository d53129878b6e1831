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
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { hasDockerSource, keyOf } from "../../tools/setup/docker-packages.ts";
import { download } from "../../tools/setup/download.ts";

// Between two attempts, no test waits.
vi.mock("node:timers/promises", () => ({ setTimeout: () => Promise.resolve() }));

let folder: string;
let server: Server;
let base: string;
let archive: Buffer;
/** How many of the next answers break off. */
let broken = 0;
const lines: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
  mkdirSync(join(folder, "tool"));
  writeFileSync(join(folder, "tool", "program"), "it runs");
  execFileSync("tar", ["-czf", "tool.tar.gz", "tool"], { cwd: folder });
  archive = readFileSync(join(folder, "tool.tar.gz"));
  server = createServer(({ url, method }, response) => {
    if (method === "GET" && url === "/tool.tar.gz" && broken-- > 0) response.socket!.destroy();
    else if (url === "/tool.tar.gz") response.end(archive);
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
});

const get = (name: string, sha256 = createHash("sha256").update(archive).digest("hex")) =>
  download({
    url: `${base}/${name}`,
    sha256,
    folder: join(folder, "got"),
    log: (line) => lines.push(line),
  });
const left = () => readdirSync(folder).filter((name) => name.startsWith("got"));

describe("a download", () => {
  test("that matches its checksum is unpacked, and nothing else is left", async () => {
    await get("tool.tar.gz");
    expect(readFileSync(join(folder, "got", "tool", "program"), "utf8")).toBe("it runs");
    expect(readdirSync(join(folder, "got"))).toEqual(["tool"]);
    expect(left()).toEqual(["got"]);
    expect(lines).toEqual(["Downloading tool.tar.gz …"]);
  });

  test.each(["0".repeat(64), ""])("with another checksum than %j is thrown away", async (sha256) => {
    await expect(get("tool.tar.gz", sha256)).rejects.toThrow(
      "Downloading tool.tar.gz failed 3 times; the last time: tool.tar.gz does not match its pinned checksum, so it was deleted",
    );
    expect(left()).toEqual([]);
  });

  test("that breaks off is tried again", async () => {
    broken = 2;
    await get("tool.tar.gz");
    expect(readFileSync(join(folder, "got", "tool", "program"), "utf8")).toBe("it runs");
    broken = 3;
    rmSync(join(folder, "got"), { recursive: true });
    await expect(get("tool.tar.gz")).rejects.toThrow("Downloading tool.tar.gz failed 3 times");
    expect(left()).toEqual([]);
  });

  test("that its server does not have ends with the reason", async () => {
    await expect(get("other.tar.gz")).rejects.toThrow(`${base}/other.tar.gz answered 404`);
    expect(existsSync(join(folder, "got"))).toBe(false);
  });
});

describe("Docker's repository", () => {
  const sources = (file: string, text: string) => {
    const apt = mkdtempSync(join(folder, "apt-"));
    mkdirSync(join(apt, "sources.list.d"));
    writeFileSync(join(apt, file), text);
    return apt;
  };

  test.each([
    ["sources.list", "deb [signed-by=/a] https://download.docker.com/linux/debian bookworm stable\n"],
    ["sources.list.d/docker.sources", "Types: deb\nURIs: https://download.docker.com/linux/debian\n"],
    [
      "sources.list.d/own.list",
      "deb https://mirror.example.com/download.docker.com/linux/debian bookworm stable\n",
    ],
  ])("is left as it is where %s names it", (file, text) => {
    expect(hasDockerSource(sources(file, text))).toBe(true);
  });

  test.each([
    ["sources.list", "# deb https://download.docker.com/linux/debian bookworm stable\n"],
    ["sources.list.d/docker.list.disabled", "deb https://download.docker.com/linux/debian bookworm stable\n"],
    ["sources.list", "deb https://deb.debian.org/debian bookworm main\n"],
    ["sources.list", "deb-src https://download.docker.com/linux/debian bookworm stable\n"],
    ["sources.list.d/docker.sources", "Types: deb-src\nURIs: https://download.docker.com/linux/debian\n"],
    [
      "sources.list.d/docker.sources",
      "Types: deb\nURIs: https://download.docker.com/linux/debian\nEnabled: no\n",
    ],
  ])("is set up where only this is in %s: %s", (file, text) => {
    expect(hasDockerSource(sources(file, text))).toBe(false);
  });

  test("is used with its own key alone", async () => {
    const home = mkdtempSync(join(folder, "gpg-"));
    const gpg = (...args: string[]) =>
      execFileSync(
        "gpg",
        ["--batch", "--homedir", home, "--pinentry-mode=loopback", "--passphrase=", ...args],
        {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        },
      );
    for (const name of ["one@example.com", "two@example.com"])
      gpg("--quick-gen-key", name, "ed25519", "sign", "never");
    const fingerprint = /^fpr:+(\w+):/m.exec(gpg("--list-keys", "--with-colons", "one@example.com"))![1]!;
    const one = gpg("--armor", "--export", "one@example.com");
    const both = gpg("--armor", "--export");
    const disguised = gpg("--armor", "--export", "two@example.com").replaceAll("PGP PUBLIC KEY", "OTHER");
    const own = execFileSync("gpg", ["--batch", "--homedir", home, "--export", fingerprint]);
    // Whatever else is in the text.
    for (const text of [one, both, `${disguised}\n${one}`])
      expect(await keyOf(text, fingerprint)).toEqual(own);
    for (const text of [gpg("--armor", "--export", "two@example.com"), disguised, "not a key", ""])
      await expect(keyOf(text, fingerprint)).rejects.toThrow(
        `does not have the fingerprint ${fingerprint}, so it is not used`,
      );
    execFileSync("gpgconf", ["--homedir", home, "--kill", "all"]);
  });
});
