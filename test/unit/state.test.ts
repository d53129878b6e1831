import { spawn } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { settleLocks } from "../../cli/state/lock.ts";
import { repairState } from "../../cli/state/repair.ts";

let state: string;
let told: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "rejourney-unit-"));
  told = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((told += String(text)), true));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(state, { recursive: true });
});

const file = (...parts: string[]) => join(state, ".pulumi", ...parts);
function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return path;
}

describe("a lock", () => {
  const lock = (pid: number, host = hostname()) => {
    const text = JSON.stringify({ pid, hostname: host, username: "ops", timestamp: "2026-01-01T00:00:00Z" });
    const path = write(file("locks", "organization", "rejourney", "selfhosted", "one.json"), text);
    write(`${path}.attrs`, "{}");
    return path;
  };

  test("of a process that is dead is removed, with its attributes", async () => {
    const path = lock(2 ** 22 + 1); // beyond the largest process id of Linux
    await settleLocks(state, "selfhosted");
    expect([existsSync(path), existsSync(`${path}.attrs`)]).toEqual([false, false]);
    expect(told).toMatch(/^Removing the lock of a run that no longer exists \(process \d+\)\.\n$/);
  });

  test("whose process id now belongs to another program is removed", async () => {
    const path = lock(process.pid);
    await settleLocks(state, "selfhosted");
    expect(existsSync(path)).toBe(false);
  });

  test("of an engine that lives is waited for until it ends", async () => {
    copyFileSync("/bin/sleep", join(state, "pulumi")); // a process by the engine's name
    const engine = spawn(join(state, "pulumi"), ["2"]);
    const path = lock(engine.pid!);
    await settleLocks(state, "selfhosted");
    expect(engine.exitCode).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect(told).toContain(
      `Another run (process ${engine.pid}) is changing this stack; waiting for it to end …`,
    );
  });

  test("of another host stops the run, and stays", async () => {
    const path = lock(1, "elsewhere");
    await expect(settleLocks(state, "selfhosted")).rejects.toThrow(
      "ops on elsewhere (process 1) has locked the state of the stack selfhosted since 2026-01-01T00:00:00Z, ",
    );
    expect(existsSync(path)).toBe(true);
  });

  test("of another stack is no matter", async () => {
    lock(1, "elsewhere");
    await settleLocks(state, "other");
    expect(told).toBe("");
  });
});

describe("a state that was cut off", () => {
  const stack = () => file("stacks", "rejourney", "selfhosted.json");
  const WHOLE = '{"version":3}';

  test.each(["", '{"version":'])("as %j is taken from its last copy", (text) => {
    write(stack(), text);
    write(`${stack()}.bak`, WHOLE);
    repairState(state, "selfhosted");
    expect(readFileSync(stack(), "utf8")).toBe(WHOLE);
    expect(told).toBe(
      "The state file is incomplete because a run was interrupted; resuming from its last copy.\n",
    );
  });

  test.each([
    ["that is whole", '{"version":3,"newer":true}', WHOLE],
    ["whose copy is cut off too", '{"ver', '{"ver'],
  ])("%s is left as it is", (_, text, copy) => {
    write(stack(), text);
    write(`${stack()}.bak`, copy);
    repairState(state, "selfhosted");
    expect(readFileSync(stack(), "utf8")).toBe(text);
    expect(told).toBe("");
  });

  test("loses the attributes that are cut off, and keeps the others", () => {
    const [cut, whole] = [write(`${stack()}.attrs`, "{"), write(file("meta.yaml.attrs"), "{}")];
    repairState(state, "selfhosted");
    expect([existsSync(cut), existsSync(whole)]).toEqual([false, true]);
  });
});
