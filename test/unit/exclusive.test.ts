import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { projectRoot } from "../../infra/settings/sources.ts";

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill("SIGKILL");
});

/** A process that works on a project until it is killed; it says `waiting` and `at work`. */
function worker(project: string, env: NodeJS.ProcessEnv = {}) {
  const script = `
    const { exclusive } = await import("./infra/docker/exclusive.ts");
    await exclusive(${JSON.stringify(project)}, () => console.log("waiting"));
    console.log("at work");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: projectRoot,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  started.push(child);
  const says = async () => String(((await once(child.stdout, "data")) as [Buffer])[0]).trim();
  return { child, says };
}

describe.runIf(process.platform === "linux")("work on a project", () => {
  const project = `test-${process.pid}`;

  test("waits for another one on it, which may be killed, and holds up no other project or host", async () => {
    const first = worker(project);
    expect(await first.says()).toBe("at work");
    const second = worker(project);
    expect(await second.says()).toBe("waiting");
    expect(await worker(`${project}-other`).says()).toBe("at work");
    expect(await worker(project, { DOCKER_HOST: "ssh://elsewhere" }).says()).toBe("at work");
    first.child.kill("SIGKILL");
    expect(await second.says()).toBe("at work");
  });
});
