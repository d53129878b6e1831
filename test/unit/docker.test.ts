import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { TestProject } from "../project.ts";

// `rejourney setup`, with a `docker` that only answers what is asked here.

let project: TestProject;
beforeEach(() => {
  project = new TestProject();
});
afterEach(() => project.remove());

interface Docker {
  /** What `docker version` fails with. */
  down?: string;
  compose?: string;
  /** What `docker pull` fails with. */
  pull?: string;
  /** Images whose pull fails, as a pattern of sh. */
  refused?: string;
}

const OVERRIDE = join(".rejourney", "selfhosted", "images.yml");

async function setup(docker: Docker, env: NodeJS.ProcessEnv = {}) {
  const { down = "", compose = "2.40.3", pull = "", refused = "*" } = docker;
  // The images made here count as there, so that none is made.
  const script = `#!/bin/sh
case "$*" in
  version*) [ -z "${down}" ] || { echo "${down}" >&2; exit 1; } ;;
  "context inspect"*) echo unix:///var/run/docker.sock ;;
  "compose version"*) echo ${compose} ;;
  "image inspect"*rejourney-sample*) ;;
  "image inspect"*) exit 1 ;;
  pull*) echo "\${3}" >> ${project.path("pulled")}
    case "$3" in ${refused}) [ -z "${pull}" ] || { echo "Error response from daemon: ${pull}" >&2; exit 1; } ;; esac ;;
  *) echo "unexpected: $*" >&2; exit 1 ;;
esac
`;
  mkdirSync(project.path("bin"), { recursive: true });
  writeFileSync(project.path("bin", "docker"), script, { mode: 0o755 });
  const PATH = [project.path("bin"), process.env.PATH].join(delimiter);
  const ran = await project.rejourney(["setup", "--yes"], { DOCKER_HOST: "", ...env, PATH });
  const pulled = project.exists("pulled") ? project.read("pulled").trimEnd().split("\n") : [];
  return { ...ran, pulled };
}

const release = (tag: string) =>
  writeFileSync(project.path(".env"), `REJOURNEY_RELEASE=${tag}\n`, { mode: 0o600 });
const setting = (text: string) =>
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), `config:\n  rejourney:target: docker\n${text}`);

const DATA = ["traefik:v3.5.4", "postgres:18.6", "redis:8.4.4", "versity/versitygw:v1.8.0"];
const OUT_OF_REACH = "Get https://registry.test/v2/: dial tcp: lookup registry.test: no such host";

describe("setup", () => {
  test("fetches the images of the release, and takes back an older choice", async () => {
    release("1.4.0");
    mkdirSync(project.path(".rejourney", "selfhosted"), { recursive: true });
    writeFileSync(project.path(OVERRIDE), "services: {}\n");
    const { status, stdout, pulled } = await setup({});
    expect(status).toBe(0);
    const application = ["api", "web", "migration"].map(
      (name) => `ghcr.io/rejourneyco/rejourney/${name}:1.4.0`,
    );
    expect(pulled.sort()).toEqual([...DATA, ...application].sort());
    expect(project.exists(OVERRIDE)).toBe(false);
    expect(stdout).toBe(`Docker and the images are installed. Next:
  npx rejourney secrets generate
  docker compose -f docker-compose.selfhosted.yml --env-file .env up -d --wait
`);
  });

  test("fetches what is known where no release is named, and says that one is needed", async () => {
    const { status, stdout, pulled } = await setup({});
    expect(status).toBe(0);
    expect(pulled.sort()).toEqual([...DATA].sort());
    expect(stdout).toContain("\n  echo REJOURNEY_RELEASE=<release> >> .env\n");
  });

  test("takes images made here where no release is named and no registry is within reach", async () => {
    const { status, stdout, stderr } = await setup({ pull: OUT_OF_REACH });
    expect(status).toBe(0);
    expect(stderr).toContain(`The image registry of traefik:v3.5.4 is unavailable: ${OUT_OF_REACH}`);
    expect(stderr).toContain("with a sample application instead of Rejourney");
    expect(stdout).toContain(`
  echo REJOURNEY_RELEASE=sample >> .env
  docker compose -f docker-compose.selfhosted.yml -f ${OVERRIDE} --env-file .env up -d --wait
`);
    const { services } = parse(project.read(OVERRIDE)) as {
      services: Record<string, { image: string }>;
    };
    expect(Object.keys(services)).toHaveLength(11);
    const image = (service: string) => services[service]!.image.split(":")[0];
    expect(image("ingest-worker")).toBe("rejourney-sample/api");
    expect(image("migrate")).toBe("rejourney-sample/migration");
    expect(image("prepare-volumes")).toBe("rejourney-sample/traefik");
  });

  test("asks no registry for the release `sample`, and keeps the images that the settings name", async () => {
    release("sample");
    setting("  rejourney:images: { postgres: postgres:18.5 }\n");
    const { status, pulled } = await setup({ pull: OUT_OF_REACH });
    expect(status).toBe(0);
    expect(pulled).toEqual([]);
    expect(project.read(OVERRIDE)).toContain("image: postgres:18.5\n");
  });

  test.each([
    [
      "a release",
      OUT_OF_REACH,
      () => release("1.4.0"),
      "traefik:v3.5.4",
      "check the network; or set rejourney:images",
    ],
    [
      "an image",
      "connect: connection refused",
      () => setting("  rejourney:images: { traefik: traefik:v3.5.3 }\n"),
      "traefik:v3.5.3",
      "check the network; or set rejourney:images",
    ],
    ["a release", "manifest unknown", () => release("9.9.9"), "traefik:v3.5.4", "correct rejourney:release"],
    [
      "what is needed",
      "toomanyrequests: rate limit exceeded",
      () => {},
      "traefik:v3.5.4",
      "correct rejourney:release",
    ],
  ])("puts nothing in the place of %s when the registry answers: %s", async (_, pull, given, image, fix) => {
    given();
    const { status, stdout, stderr } = await setup({ pull });
    expect(status).toBe(1);
    expect(stderr).toContain(`The image ${image} is not available: ${pull}\n  Fix: ${fix}`);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
    expect(project.exists(".rejourney")).toBe(false);
  });

  test("makes nothing when only the image that somebody named cannot be had", async () => {
    setting("  rejourney:images: { redis: registry.test/redis:8.4.4 }\n");
    const { status, stderr } = await setup({ pull: OUT_OF_REACH, refused: "registry.test*" });
    expect(status).toBe(1);
    expect(stderr).toContain("The image registry.test/redis:8.4.4 is not available");
  });

  test("says what fixes a Docker Engine elsewhere that does not answer, and starts none here", async () => {
    const { status, stderr } = await setup(
      { down: "connection refused" },
      { DOCKER_HOST: "ssh://node.test" },
    );
    expect(status).toBe(1);
    expect(stderr).toBe(
      "No Docker Engine answers at ssh://node.test: connection refused. Fix: docker version\n",
    );
  });

  test("says what fixes a user who may not use Docker Engine", async () => {
    const { status, stderr } = await setup({ down: "permission denied while trying to connect" });
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^This user has no access to Docker Engine\. Fix: sudo usermod -aG docker \$USER, .*\n$/,
    );
  });

  test("tells of problems in the settings before anything is set up", async () => {
    setting("  rejourney:httpPortt: 80\n");
    const { status, stderr, pulled } = await setup({ down: "not to be asked" });
    expect(status).toBe(1);
    expect(stderr).toContain("1 problem in the settings; nothing was changed.");
    expect(pulled).toEqual([]);
  });
});
