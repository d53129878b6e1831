import { rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import { type FakeDocker, TestProject } from "../project.ts";

// Which images `up` takes. Docker answers as a registry would have it; nothing is brought up.

let project: TestProject;
let docker: FakeDocker;
let settings = "";
beforeAll(() => {
  project = new TestProject();
  settings = project.read("Pulumi.selfhosted.yaml");
  docker = project.fakeDocker();
});
afterAll(() => project.remove());

/** As after a clone on another machine. */
function fresh(): void {
  rmSync(project.path(".rejourney"), { recursive: true });
  rmSync(project.path("bin", "up.yml"));
  docker.loseVolumes();
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), settings); // plain `pulumi` has put its salt there
}

const TAKEN = [".rejourney", "selfhosted", "images.json"];
const OFFICIAL = "ghcr.io/rejourneyco/rejourney";
const release = (tag: string) => writeFileSync(project.path(".env"), `REJOURNEY_RELEASE=${tag}\n`);
const imageOf = (service: string) =>
  (parse(docker.up()!) as ComposeProject).services[service]!.image.replace(/:[0-9a-f]{12}$/, ":<hash>");
const up = async () => (await project.json<{ summary: Record<string, number> }>("up")).summary;

const noChange = async () => expect(Object.keys(await up())).toEqual(["same"]);

/** Nor in a preview, also by Pulumi itself. */
async function noChangeByAny(): Promise<void> {
  await noChange();
  expect(Object.keys((await project.json<{ summary: object }>("preview")).summary)).toEqual(["same"]);
  const plain = await project.pulumi("preview", "--stack", "selfhosted", "--expect-no-changes");
  expect(plain.status, plain.stdout).toBe(0);
}

describe("where no release is named", () => {
  test("and no registry is within reach, the images made here run, and stay", async () => {
    docker.registries(false);
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain(
      "The image registry of traefik:v3.5.4 is unavailable: lookup registry.test: no such host\n" +
        "The images are built here from packages, with a sample application instead of Rejourney.\n",
    );
    expect(stdout).toContain("This is a sample application without authentication");
    expect(imageOf("ingest-worker")).toBe("rejourney-sample/api:<hash>");
    expect(imageOf("postgres")).toBe("rejourney-sample/postgres:<hash>");
    docker.registries(true);
    await noChange();
  });

  test("the newest one runs by its digest, and stays until one is named", async () => {
    fresh();
    const { status, stdout, stderr } = await project.rejourney(["up"]);
    expect(status, stderr).toBe(0);
    const digest = `sha256:${"1".repeat(64)}`;
    expect(stderr).toContain(`No release is set, so this uses the newest one: ${OFFICIAL}/api@${digest}\n`);
    expect(stdout).not.toContain("sample");
    expect(imageOf("alert-worker")).toBe(`${OFFICIAL}/api@${digest}`);
    expect(imageOf("web")).toBe(`${OFFICIAL}/web@${digest}`);
    expect(imageOf("postgres")).toBe("postgres:18.6");
    docker.digest("2");
    await noChangeByAny();
  });

  test("what was taken is never replaced by the sample", async () => {
    docker.registries(false);
    const before = docker.up();
    const { status, stderr } = await project.rejourney(["up"]);
    docker.registries(true);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The image traefik:v3.5.4 is not available: lookup registry.test: no such host\n",
    );
    expect(docker.up()).toBe(before);
    await noChange();
  });
});

describe("a release that is named", () => {
  test("takes the place of the newest one, and stays when .env is lost", async () => {
    release("1.4.0");
    const { status, stdout } = await project.rejourney(["preview"]);
    expect(status).toBe(0);
    expect(stdout.split("\n").filter((line) => /^ {4}[+-].*\/web/.test(line))).toEqual([
      `    -  image: ${OFFICIAL}/web@sha256:${"1".repeat(64)}`,
      `    +  image: ${OFFICIAL}/web:1.4.0`,
    ]);
    expect(await up()).toMatchObject({ update: 1 });
    expect(imageOf("api")).toBe(`${OFFICIAL}/api:1.4.0`);
    rmSync(project.path(".env"));
    await noChange();
    expect(imageOf("api")).toBe(`${OFFICIAL}/api:1.4.0`);
  });

  test("and cannot be had changes nothing, the record neither", async () => {
    docker.registries(false);
    release("1.5.0");
    const [before, taken] = [docker.up(), project.read(...TAKEN)];
    const { status, stderr } = await project.rejourney(["up"]);
    docker.registries(true);
    expect(status).toBe(1);
    expect(stderr).toContain("The image traefik:v3.5.4 is not available");
    expect(docker.up()).toBe(before);
    expect(project.read(...TAKEN)).toBe(taken);
  });

  test("and is `sample` does not take over the data of Rejourney", async () => {
    release("sample");
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The deployment runs Rejourney, and the sample would take over its data; nothing was changed.\n",
    );
    expect(imageOf("api")).toBe(`${OFFICIAL}/api:1.4.0`);
  });

  test("does not take over the data of `sample`", async () => {
    fresh();
    expect(await up()).toMatchObject({ create: expect.any(Number) as number });
    expect(imageOf("api")).toBe("rejourney-sample/api:<hash>");
    await noChange();
    release("1.4.0");
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "The deployment runs the sample application, and Rejourney would take over its data;",
    );
    expect(imageOf("api")).toBe("rejourney-sample/api:<hash>");
  });
});

describe("the record of the images", () => {
  test("that is lost, as is .env, is not guessed for a stack that has run", async () => {
    fresh();
    await up();
    rmSync(project.path(".env"));
    rmSync(project.path(...TAKEN));
    const before = docker.up();
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      "No setting names the release of Rejourney for the stack selfhosted; nothing was changed.\n" +
        "  Fix: echo REJOURNEY_RELEASE=<release> >> .env\n",
    );
    expect(docker.up()).toBe(before);
  });

  test("that cannot be read is told, with what fixes it", async () => {
    writeFileSync(project.path(...TAKEN), "{");
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status).toBe(1);
    expect(stderr).toContain(`${project.path(...TAKEN)} is not valid JSON.`);
    expect(stderr).toContain("remove it, then retry");
  });
});
