import { describe, expect, test } from "vitest";
import { holderOf } from "../../cli/rotation/procedures.ts";
import { refuse } from "../../cli/rotation/prepare.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { OpenRotation } from "../../cli/secrets/rotation-record.ts";
import {
  needNoOpenRotation,
  refuseRetired,
  rotationsIn,
  withRetired,
} from "../../cli/secrets/rotation-record.ts";
import type { Resource } from "../../cli/engine/stack.ts";
import type { Secrets } from "../../cli/secrets/sync-plan.ts";
import { SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { dockerSettings, kubernetesSettings } from "./values.ts";

const ALL = Object.fromEntries(SECRET_NAMES.map((name) => [name, `of ${name}`])) as Secrets;
const open = (secret: SecretName, isApplied: boolean): OpenRotation => ({
  secret,
  begun: "2026-01-02T03:04:05.678Z",
  isApplied,
  from: "old",
  to: "new",
});
/** The resource of a state that holds what there is to remember. */
const state = (output: unknown): Resource[] => [
  { urn: "urn:pulumi:prod::rejourney::pulumi:index:Stash::secrets-rotations", type: "", outputs: { output } },
];

describe("a rotation", () => {
  const told = (names: SecretName[], settings: Settings, before?: OpenRotation, inUse = ALL) => {
    try {
      refuse(names, settings, inUse, before);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test.each<[SecretName[], string]>([
    [["ORIGIN_PRIVATE_KEY"], "A certificate and its key can only change together"],
    [["JWT_SECRET", "STORAGE_ENCRYPTION_KEY"], "STORAGE_ENCRYPTION_KEY must be rotated alone"],
    [["REDIS_PASSWORD", "POSTGRES_PASSWORD"], "REDIS_PASSWORD must be rotated alone"],
    [["S3_SECRET_ACCESS_KEY"], "The S3 keys of a provider can only change together"],
  ])("of %j is refused", (names, what) => {
    expect(told(names, kubernetesSettings())).toMatch(
      new RegExp(`^${what}; nothing was changed\\.\\n {2}Fix: .*(--stack prod|prod)$`),
    );
  });

  test("of what is not in use is refused", () => {
    expect(told(["SMTP_PASS", "JWT_SECRET"], dockerSettings(), undefined, { ...ALL, SMTP_PASS: "" })).toBe(
      "SMTP_PASS: not in use; nothing was changed.\n  Fix: add it to .env, then: npm run up",
    );
  });

  test.each<[SecretName[]]>([
    [["JWT_SECRET", "JWT_SIGNING_KEY", "INGEST_HMAC_SECRET", "SMTP_PASS"]],
    [["STORAGE_ENCRYPTION_KEY"]],
    [["POSTGRES_PASSWORD"]],
    [["REDIS_PASSWORD"]],
    [["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"]],
  ])("of %j may be", (names) => {
    expect(told(names, dockerSettings())).toBeUndefined();
    expect(told(names, kubernetesSettings())).toBeUndefined();
  });

  test("waits for the end of one whose old value is kept, unless it needs no such place", () => {
    const before = open("STORAGE_ENCRYPTION_KEY", true);
    for (const name of ["STORAGE_ENCRYPTION_KEY", "POSTGRES_PASSWORD"] as const)
      expect(told([name], dockerSettings(), before)).toContain("rotate STORAGE_ENCRYPTION_KEY --finish");
    expect(told(["JWT_SECRET"], dockerSettings(), before)).toBeUndefined();
  });

  test("that was ended in the middle is named to all else", () => {
    expect(() => needNoOpenRotation(state({ open: open("POSTGRES_PASSWORD", false) }), "prod")).toThrow(
      "The rotation of POSTGRES_PASSWORD that began at 2026-01-02T03:04:05.678Z is not finished; nothing was changed.\n" +
        "  Fix: npx rejourney secrets rotate POSTGRES_PASSWORD --stack prod",
    );
    for (const output of [{ open: open("STORAGE_ENCRYPTION_KEY", true) }, {}, undefined])
      expect(() => needNoOpenRotation(state(output), "prod")).not.toThrow();
    expect(() => needNoOpenRotation([], "prod")).not.toThrow();
  });

  test("changes the database where that has the same value, and is ours", () => {
    const external = kubernetesSettings({ external: { postgres: { host: "db.example.com" } } });
    const holders = (settings: Settings) =>
      SECRET_NAMES.filter((name) => holderOf(name, settings) !== undefined);
    expect(holders(dockerSettings())).toEqual(["POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"]);
    expect(holders(external)).toEqual(["STORAGE_ENCRYPTION_KEY"]);
    expect(isGeneratedHere("POSTGRES_PASSWORD", external)).toBe(false);
    expect(isGeneratedHere("S3_SECRET_ACCESS_KEY", kubernetesSettings())).toBe(false);
    expect(isGeneratedHere("S3_SECRET_ACCESS_KEY", dockerSettings())).toBe(true);
    expect(isGeneratedHere("SMTP_PASS", dockerSettings())).toBe(false);
  });
});

describe("a value that was rotated away", () => {
  test("is known again without being kept, and no other is", () => {
    const rotations = withRetired({ retired: {} }, { JWT_SECRET: "old", SMTP_PASS: "mail" }, "key");
    const twice = withRetired(rotations, { JWT_SECRET: "old" }, "key");
    expect(twice).toEqual(rotations);
    expect(JSON.stringify(twice)).not.toMatch(/old|mail/);
    expect(rotationsIn(state(twice))).toEqual(twice);
    const refused = (values: Partial<Secrets>) => () =>
      refuseRetired(twice, values, { hashKey: "key", stack: "prod" });
    expect(refused({ JWT_SECRET: "new", JWT_SIGNING_KEY: "old" })).not.toThrow();
    expect(refused({ JWT_SECRET: "old" })).toThrow(
      /^1 problem in the settings; nothing was changed\.\n {2}JWT_SECRET is a value that was rotated away, so others may know it\.\n/,
    );
  });
});
