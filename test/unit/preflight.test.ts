import { describe, expect, test } from "vitest";
import { type Host, hostProblems, hostWarnings } from "../../cli/single-node/preflight.ts";

const GIB = 2 ** 30;
const GOOD: Host = {
  os: "linux",
  architecture: "x86_64",
  cores: 2,
  memoryBytes: 4 * GIB,
  freeBytes: 20 * GIB,
  clockAhead: 0,
  isNew: true,
};

describe("a Docker host", () => {
  test.each<[string, Partial<Host>]>([
    ["an arm64 one", { architecture: "aarch64" }],
    ["a Mac", { os: "darwin", architecture: "arm64" }],
    ["one that calls 1.9 GiB 2 GB", { memoryBytes: 1.9 * GIB }],
    ["one whose disk and authority cannot be seen", { freeBytes: undefined, clockAhead: undefined }],
    ["one with little disk on which the project runs already", { freeBytes: 2 * GIB, isNew: false }],
    ["one whose clock is a minute off", { clockAhead: -60 }],
  ])("%s is taken", (_, more) => {
    expect(hostProblems({ ...GOOD, ...more })).toEqual([]);
  });

  test.each<[Partial<Host>, string, string]>([
    [{ os: "windows" }, "system", "is windows; the containers need Linux"],
    [{ architecture: "armv7l" }, "processor", "is armv7l; the images support x86-64 and arm64"],
    [{ memoryBytes: 1 * GIB }, "memory", "is 1.0 GiB; at least 2 GiB is required"],
    [
      { freeBytes: 4.9 * GIB },
      "disk",
      "has 4.9 GiB free where Docker keeps its data; at least 5 GiB is required",
    ],
    [
      { freeBytes: 0.5 * GIB, isNew: false },
      "disk",
      "has 0.5 GiB free where Docker keeps its data; at least 1 GiB is required",
    ],
    [{ clockAhead: 61 }, "clock", "is 61 s fast, so certificates would be invalid"],
    [{ clockAhead: -86400 }, "clock", "is 86400 s slow, so certificates would be invalid"],
  ])("with %o is refused", (more, key, what) => {
    expect(hostProblems({ ...GOOD, ...more })).toEqual([{ key, what, fix: expect.any(String) as string }]);
  });

  test("that has several faults is told all of them", () => {
    const problems = hostProblems({ ...GOOD, os: "windows", memoryBytes: 0, freeBytes: 0, clockAhead: 999 });
    expect(problems.map(({ key }) => key)).toEqual(["system", "memory", "disk", "clock"]);
  });

  test("that is small is warned of", () => {
    expect(hostWarnings(GOOD, 4 * GIB)).toEqual([]);
    expect(hostWarnings({ ...GOOD, cores: 1 }, 4.75 * GIB)).toEqual([
      "the Docker host has 1 processor core; 2 are recommended.",
      "the Docker host has 4.0 GiB of memory; the limits of the services add up to 4.8 GiB.",
    ]);
  });
});
