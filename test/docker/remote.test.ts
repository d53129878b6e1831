import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TestProject } from "../project.ts";
import { containers, freePort, listed, removeAll, testName, writeSettings } from "./host.ts";
import { type SshHost, sshHost } from "./sshd.ts";

const name = testName();
let project: TestProject;
let host: SshHost;
let port = 0;

beforeAll(async () => {
  [host, port] = await Promise.all([sshHost(), freePort()]);
  project = new TestProject();
  writeSettings(project, name, port);
});
afterAll(async () => {
  await removeAll(name);
  await host.stop();
  project.remove();
});

describe("a Docker host that is reached by SSH", () => {
  test("is brought up, asked and taken down like this machine's own", async () => {
    const { status, stdout, stderr } = await project.rejourney(["up"], host.env);
    expect(status, stderr).toBe(0);
    expect(stdout).toContain(`Rejourney runs at http://localhost:${port}, on the Docker host (`);
    expect(Object.keys(await containers(name))).toHaveLength(9);
    expect((await fetch(`http://localhost:${port}/health`)).status).toBe(200);
    const told = await project.rejourney(["status"], host.env);
    expect(told).toMatchObject({ status: 0, stderr: "" });
    const again = await project.rejourney(["up"], host.env);
    expect(again.stdout).toMatch(/^\d+ unchanged\n/);
    const down = ["down", "--delete-data", "--confirm=selfhosted"];
    expect((await project.rejourney(down, host.env)).status).toBe(0);
    expect(await listed(["volume", "ls", "--quiet", `--filter=name=${name}`])).toEqual([]);
    expect(host.log()).toContain("Accepted publickey");
  }, 180_000);

  test("is named when it does not answer", async () => {
    const DOCKER_HOST = `ssh://nobody@127.0.0.1:${await freePort()}`;
    const { status, stderr } = await project.rejourney(["up"], { ...host.env, DOCKER_HOST });
    expect(status).toBe(1);
    expect(stderr).toContain(`No Docker Engine answers at ${DOCKER_HOST}: `);
  }, 60_000);
});
