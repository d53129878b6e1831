import { describe, expect, test, vi } from "vitest";
import { areOutdated, needOfficial, pluginsFor, pluginsOf } from "../../cli/engine/plugins.ts";
import { pluginVersion } from "../../tools/setup/plugins.ts";
import { dockerSettings, kubernetesSettings } from "./values.ts";

const provider = (name: "random" | "command" | "kubernetes", inputs: Record<string, unknown> = {}) => ({
  type: `pulumi:providers:${name}`,
  inputs: { version: pluginVersion(name), ...inputs },
});

test("a stack needs the plugins of its target, and a state those that manage it", () => {
  expect(pluginsFor(dockerSettings({}))).toEqual(["random", "command"]);
  expect(pluginsFor(kubernetesSettings({}))).toEqual(["random", "kubernetes"]);
  expect(pluginsOf([provider("kubernetes"), { type: "kubernetes:core/v1:Secret" }])).toEqual(["kubernetes"]);
});

test("a state is outdated with another version of a plugin, or another context", () => {
  const state = [provider("random"), provider("kubernetes", { context: "a" })];
  expect(areOutdated(state, undefined)).toBe(false);
  expect(areOutdated(state, kubernetesSettings({ context: "a" }))).toBe(false);
  expect(areOutdated(state, kubernetesSettings({ context: "b" }))).toBe(true);
  expect(areOutdated(state, kubernetesSettings({}))).toBe(true);
  expect(areOutdated([provider("random", { version: "1.0.0" })], undefined)).toBe(true);
});

describe("stand-ins", () => {
  const said = (...args: Parameters<typeof needOfficial>) => {
    const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      needOfficial(...args);
      return written.mock.calls.map(([text]) => text as string).join("");
    } finally {
      written.mockRestore();
    }
  };
  const at = (url: string) => dockerSettings({ variables: { PUBLIC_API_URL: url } });

  test("are named, and none is when none serves", () => {
    expect(said(["nodejs", "random"], [], undefined)).toBe(
      "Pulumi's own plugins are not available here (the language host, random); this run uses stand-ins, for trying and testing only.\n",
    );
    expect(said([], [provider("random")], at("https://replays.dev"))).toBe("");
  });

  test.each([
    "http://localhost:8080",
    "http://10.0.0.7",
    "http://[::1]:80",
    "http://nas.lan",
    "https://a.test",
  ])("may serve %s", (url) => {
    expect(said(["random"], [], at(url))).toContain("uses stand-ins");
  });

  test.each([
    "https://replays.dev",
    "https://example.com.evil.io",
    "https://test.dev",
    "https://a.internal.io",
  ])("may not serve %s, whatever says so", (url) => {
    expect(() => said(["random"], [], at(url))).toThrow(
      `stand-ins must not deploy ${new URL(url).hostname}; nothing was changed.`,
    );
    expect(() =>
      said(["nodejs"], [], dockerSettings({ domain: new URL(url).hostname, acmeEmail: "a@b.dev" })),
    ).toThrow("stand-ins must not deploy");
  });

  test("do not follow a plugin; a plugin follows them", () => {
    const byStandIn = provider("random", { standIn: true });
    expect(() => said(["random"], [provider("random")], undefined)).toThrow(
      "This state was written with Pulumi's own plugins, but only stand-ins are available here for: random; nothing was changed.",
    );
    expect(said(["random"], [byStandIn], undefined)).not.toContain("own plugins manage it");
    expect(said([], [byStandIn], undefined)).toBe(
      "This state was written with stand-ins; from now on Pulumi's own plugins manage it: random.\n",
    );
  });
});
