import { describe, expect, test } from "vitest";
import { report } from "../../cli/single-node/services.ts";
import { table } from "../../cli/terminal/service-report.ts";
import type { ComposeProject } from "../../infra/compose/compose-spec.ts";
import type { Container } from "../../infra/docker/containers.ts";

const service = (image: string, more: object = {}) => ({ image, restart: "unless-stopped", ...more });
const project = (services: object) => ({ services }) as unknown as ComposeProject;
const container = (more: Partial<Container> = {}): Container => ({
  id: "1",
  service: "api",
  state: "running",
  health: "healthy",
  image: "api:1",
  restarts: 0,
  configHash: "",
  ...more,
});

describe("the report of a service", () => {
  test.each<[string, number, Container[], string, string]>([
    ["well", 1, [container()], "healthy", ""],
    ["two of two", 2, [container(), container()], "healthy", ""],
    ["none", 1, [], "missing", "missing"],
    ["none wanted", 0, [], "off", ""],
    ["none wanted, one there", 0, [container()], "healthy", "1 of 0 containers"],
    ["one of two", 2, [container()], "healthy", "1 of 2 containers"],
    ["one too many", 1, [container(), container()], "healthy", "2 of 1 containers"],
    ["ill", 1, [container({ health: "unhealthy" })], "unhealthy", "unhealthy"],
    ["one of two ill", 2, [container(), container({ health: "unhealthy" })], "unhealthy", "unhealthy"],
    ["not yet healthy", 1, [container({ health: "starting" })], "starting", "starting"],
    ["stopped", 1, [container({ state: "exited", health: "unhealthy" })], "exited", "exited"],
    ["crashing", 1, [container({ state: "restarting", health: "" })], "restarting", "restarting"],
    ["made by hand", 1, [container({ health: "" })], "running", "running"],
    ["older", 1, [container({ image: "api:0" })], "healthy", "runs api:0 instead of api:1"],
    ["another service's", 1, [container({ service: "web" })], "missing", "missing"],
  ])("that is %s", (_, scale, containers, status, trouble) => {
    const [told] = report(project({ api: service("api:1", { scale }) }), containers);
    expect(told).toMatchObject({ service: "api", status, trouble });
  });

  test("leaves out what runs once, and keeps the order of the project", () => {
    const services = {
      web: service("web:1"),
      migrate: { image: "m:1", restart: "no" },
      api: service("api:1"),
    };
    expect(report(project(services), []).map(({ service }) => service)).toEqual(["web", "api"]);
  });

  test("is a line for people", () => {
    const containers = [container({ restarts: 2 }), container({ restarts: 1, state: "exited" })];
    const services = { api: service("api:1", { scale: 2 }), "ingest-worker": service("api:1") };
    expect(table(report(project(services), containers))).toBe(
      "  api            ! exited  (restarted 3 times)\n  ingest-worker  ! missing\n",
    );
  });
});
