import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { obtainImages, refuseOpenSample } from "../../cli/single-node/images.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { dockerSettings } from "./values.ts";

const folder = mkdtempSync(join(tmpdir(), "rejourney-images-"));
beforeAll(() => {
  // A Docker host that reaches no registry and has no image.
  const script = "#!/bin/sh\necho 'dial tcp: lookup ghcr.io: network is unreachable' >&2\nexit 1\n";
  writeFileSync(join(folder, "docker"), script);
  chmodSync(join(folder, "docker"), 0o755);
  vi.stubEnv("PATH", `${folder}${delimiter}${process.env.PATH}`);
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const PUBLIC = { domain: "r.example.com", acmeEmail: "a@example.com" };

test("a public domain is not served by the sample because no registry answers", async () => {
  const settings = dockerSettings(PUBLIC);
  await expect(obtainImages(settings, composeProject(settings))).rejects.toThrow(
    /^No release is set, and the image registry of \S+ is unavailable: .*network is unreachable\. The sample application has no authentication, so it does not run at r\.example\.com unasked; nothing was changed\.\n {2}Fix: set REJOURNEY_RELEASE in \.env, and check the network: ghcr\.io has no IPv6 address/,
  );
});

test("an image that was asked for is missed by name", async () => {
  const settings = dockerSettings({ ...PUBLIC, release: "1.4.0" });
  await expect(obtainImages(settings, composeProject(settings))).rejects.toThrow(
    /^The image \S+ is not available: .*network is unreachable/,
  );
});

test("the sample may have a domain where it is what was asked for, and needs no asking without one", () => {
  expect(() => refuseOpenSample(dockerSettings({ ...PUBLIC, release: "sample" }), "Why")).not.toThrow();
  expect(() => refuseOpenSample(dockerSettings(), "Why")).not.toThrow();
  expect(() => refuseOpenSample(dockerSettings(PUBLIC), "Why")).toThrow("Why. The sample application has no");
});
