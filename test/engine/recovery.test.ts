import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Decrypter, Encrypter, identityToRecipient } from "age-encryption";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import type { Bundle } from "../../cli/state/recovery-bundle.ts";
import { TestProject } from "../project.ts";
import { GOOD } from "../unit/values.ts";

// The recovery bundle, on the real engine: what is lost is lost, and comes back from two files.

const SETTINGS =
  'config:\n  rejourney:target: docker\n  rejourney:release: "1.4.0"\n  rejourney:httpPort: 8080\n';
const ENV = `# kept by hand\nJWT_SECRET=${GOOD}\n`;

let project: TestProject;
let secrets: Record<string, string>;
let first: string;
const bundle = () => project.path("elsewhere", "recovery-selfhosted.age");
const key = () => project.path("elsewhere", "recovery.key");
const recover = (...args: string[]) => project.rejourney(["recover", bundle(), ...args]);

beforeAll(() => {
  project = new TestProject();
  project.fakeDocker();
  writeFileSync(project.path("Pulumi.selfhosted.yaml"), SETTINGS);
  writeFileSync(project.path(".env"), ENV, { mode: 0o600 });
});
afterAll(() => project.remove());

describe("the recovery bundle", () => {
  test("is made by a first run, for the owner alone, and tells no secret", async () => {
    const { status, stderr } = await project.rejourney(["up"]);
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("Created a recovery bundle and tested that it decrypts.");
    secrets = await project.secrets();
    for (const name of ["recovery-selfhosted.age", "recovery.key"]) {
      expect(statSync(project.path(".rejourney", name)).mode & 0o777).toBe(0o600);
      cpSync(project.path(".rejourney", name), project.path("elsewhere", name));
    }
    first = readFileSync(bundle(), "latin1");
    expect(first).toMatch(/^age-encryption\.org\/v1\n/);
    const passphrase = project.read(".rejourney", "passphrase").trim();
    for (const value of [passphrase, ...Object.values(secrets).filter((value) => value !== "")])
      expect(first).not.toContain(value);
    expect(stderr).not.toContain(readFileSync(key(), "utf8").trim());
  });

  test("is refused while its state is here", async () => {
    const { status, stderr } = await recover();
    expect(status).toBe(1);
    expect(stderr).toContain("This project already has a state of selfhosted; nothing was changed.");
  });

  test.each([
    ["with another key", () => writeFileSync(project.path("other.key"), `${OTHER_KEY}\n`), "other.key"],
    [
      "when it is damaged",
      () => writeFileSync(bundle(), first.replace(/.$/s, "?"), "latin1"),
      "elsewhere/recovery.key",
    ],
  ])("does not open %s, and nothing is changed", async (_, prepare, keyFile) => {
    prepare();
    const before = project.files(".rejourney");
    const { status, stderr } = await recover("--key", project.path(keyFile));
    writeFileSync(bundle(), first, "latin1");
    expect(status).toBe(1);
    expect(stderr).toMatch(/does not decrypt with the key in .*Nothing was changed\.\n$/);
    expect(project.files(".rejourney")).toEqual(before);
  });

  test.each([
    ["a hook of git", { files: { ".git/hooks/post-commit": "#!/bin/sh\n" } }, '".git/hooks/post-commit"'],
    ["no state", { state: "garbage" }, '"state"'],
    ["an empty passphrase", { passphrase: " " }, '"passphrase"'],
    ["a stack in the place of another file", { stack: "passphrase" }, '"stack"'],
    ["a program", { files: { "cli/main.ts": "" } }, '"cli/main.ts"'],
    ["a place elsewhere", { files: { "../../.env": "" } }, '"../../.env"'],
    ["the settings of another stack", { files: { "Pulumi.prod.yaml": "" } }, '"Pulumi.prod.yaml"'],
    ["a stack that is a path", { stack: "../x" }, '"stack"'],
  ])("is refused with %s in it, before anything is written", async (_, changed, named) => {
    const before = listed();
    await writeBundle({ ...(await bundled()), ...changed }, project.path("made.age"));
    const { status, stderr } = await project.rejourney(["recover", project.path("made.age"), "--key", key()]);
    rmSync(project.path("made.age"));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /made\.age is not a bundle that this program wrote: "\S+" in it is not valid\. Nothing was changed\.\n$/,
    );
    expect(stderr).toContain(named);
    expect(listed()).toEqual(before);
  });

  test("leaves the passphrase of the local states where another backend is in use", async () => {
    await writeBundle(
      { ...(await bundled()), passphrase: "of another deployment" },
      project.path("made.age"),
    );
    mkdirSync(project.path("elsewhere", "state"));
    const before = project.files(".rejourney");
    const { status, stderr } = await project.rejourney(
      ["recover", project.path("made.age"), "--key", key()],
      { PULUMI_BACKEND_URL: `file://${project.path("elsewhere", "state")}` },
    );
    rmSync(project.path("made.age"));
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /^\S+\/selfhosted\.json uses a different passphrase than the bundle; nothing was changed\.\n {2}Fix: /,
    );
    expect(project.files(".rejourney")).toEqual(before);
  });

  test("brings everything back after a loss, also where a run has begun anew meanwhile", async () => {
    rmSync(project.path(".rejourney"), { recursive: true });
    rmSync(project.path(".env"));
    writeFileSync(project.path("Pulumi.selfhosted.yaml"), "config:\n  rejourney:target: docker\n");
    expect((await project.rejourney(["preview"])).status).toBe(0); // makes another passphrase, and an empty state
    const passphrase = project.read(".rejourney/passphrase");
    // What does not open is found out before anything is written.
    await writeBundle(
      { ...(await bundled()), passphrase: "of another deployment" },
      project.path("made.age"),
    );
    const before = listed();
    const wrong = await project.rejourney(["recover", project.path("made.age"), "--key", key()]);
    expect(wrong.stderr).toMatch(/^The state in the bundle does not open: .* Nothing was changed\.$/m);
    expect(listed()).toEqual(before);
    rmSync(project.path("made.age"));
    const { status, stdout, stderr } = await recover("--key", key());
    expect(status, stderr).toBe(0);
    const count = SECRET_NAMES.filter((name) => secrets[name] !== "").length;
    expect(stdout).toBe(
      `The state of selfhosted is restored, and its ${count} secrets decrypt. ` +
        "Written: Pulumi.selfhosted.yaml, .rejourney/selfhosted/images.json, .env, .rejourney/passphrase, the state.\n" +
        "Next: npm run up\n",
    );
    expect(project.read("Pulumi.selfhosted.yaml")).toBe(SETTINGS);
    expect(project.read("Pulumi.selfhosted.yaml.before-recovery")).toContain("rejourney:target: docker");
    expect(project.read(".env")).toBe(ENV);
    // The one of the run that has begun anew.
    expect(project.read(".rejourney/passphrase.before-recovery")).toBe(passphrase);
    for (const name of [
      ".env",
      ...["passphrase", "passphrase.before-recovery", "recovery.key"].map((file) => `.rejourney/${file}`),
    ])
      expect(statSync(project.path(name)).mode & 0o777).toBe(0o600);
    expect(await project.secrets()).toEqual(secrets);
    const again = await project.json<{ summary: object }>("up");
    expect(Object.keys(again.summary)).toEqual(["same"]);
    expect(await project.secrets()).toEqual(secrets);
  });

  test("is not kept from its work by a state that is damaged, which is named", async () => {
    writeFileSync(project.path(".rejourney/state/.pulumi/stacks/rejourney/selfhosted.json"), '{"version":3,');
    rmSync(project.path(".rejourney/state/.pulumi/stacks/rejourney/selfhosted.json.bak"), { force: true });
    const { status, stderr } = await recover("--key", key());
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        /^The state file .*selfhosted\.json is damaged; nothing was changed\.\n {2}Fix: move the folder \.rejourney away, then: npx rejourney recover /,
      ) as string,
    });
  });

  test("tells nothing of what it holds", () => {
    for (const [name, value] of Object.entries(secrets))
      if (value !== "") expect(project.printed, name).not.toContain(value);
  });
});

/** Every file of the project but its packages, with its size and the time of its last change. */
function listed(): string[] {
  const entries = readdirSync(project.folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = statSync(path);
      return `${path} ${size} ${mtimeMs}`;
    });
}

/** What the bundle of the first run holds. */
async function bundled(): Promise<Bundle> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(readFileSync(key(), "utf8").trim());
  return JSON.parse(await decrypter.decrypt(readFileSync(bundle()), "text")) as Bundle;
}

/** Writes a bundle as anybody may who has seen the public half of the key. */
async function writeBundle(content: Bundle, path: string): Promise<void> {
  const encrypter = new Encrypter();
  encrypter.addRecipient(await identityToRecipient(readFileSync(key(), "utf8").trim()));
  writeFileSync(path, await encrypter.encrypt(JSON.stringify(content)));
}

/** An age identity that belongs to nothing. */
const OTHER_KEY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
