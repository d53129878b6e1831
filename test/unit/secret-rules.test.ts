import { describe, expect, test } from "vitest";
import { SECRET_NAMES, SECRETS, type SecretName } from "../../infra/app/secrets.ts";
import { secretProblems } from "../../infra/settings/secret-rules.ts";
import { pem } from "./certificate.ts";
import { GOOD, OTHER } from "./values.ts";

const faults = (name: SecretName, value: string) =>
  secretProblems({ [name]: { value, place: ".env line 1" } }, "selfhosted").map(({ what }) => what);

const KEYS = SECRET_NAMES.filter((name) => SECRETS[name].strength === "key");
const PREDICTABLE = "is repetitive or sequential, so it can be guessed";

test("the keys are these four", () => {
  expect(KEYS).toEqual(["JWT_SECRET", "JWT_SIGNING_KEY", "INGEST_HMAC_SECRET", "STORAGE_ENCRYPTION_KEY"]);
});

// Whatever the secret.
const EVERY: [value: string, what: string][] = [
  ["", "is empty"],
  ["   ", "is empty"],
  [`${GOOD}\n`, "contains a line break or another control character"],
  [`${GOOD.slice(0, 60)}\u0000abc`, "contains a line break or another control character"],
  [` ${GOOD}`, "begins or ends with a space"],
  [`${GOOD} `, "begins or ends with a space"],
  ["generate_with_openssl_rand_hex_32", "is a placeholder"],
  ["CHANGE_ME_to_something_long_and_random_please", "is a placeholder"],
  ["changeme", "is a placeholder"],
  ["please-change-this-value", "is a placeholder"],
  ["your_jwt_secret_with_more_than_32_characters", "is a placeholder"],
  ["replace-me-with-a-long-random-string-soon", "is a placeholder"],
  ["<a long random value that you have made>", "is a placeholder"],
  ["...", "is a placeholder"],
];
const LINES: SecretName[] = ["ORIGIN_CERTIFICATE", "ORIGIN_PRIVATE_KEY"];

describe.each(LINES)("%s, in PEM,", (name) => {
  const thing = name === "ORIGIN_CERTIFICATE" ? "a certificate" : "a private key";
  const not = `is not ${thing} in PEM; in .env, put its lines between single quotes`;
  test.each(EVERY)("refuses %j", (value, what) => {
    expect(faults(name, value)).toEqual([/empty|placeholder/.test(what) ? what : not]);
  });
  test("takes what openssl writes, and of the two only the right one", async () => {
    const { certificate, key } = await pem("r.example.com");
    const [right, wrong] = name === "ORIGIN_CERTIFICATE" ? [certificate, key] : [key, certificate];
    expect(faults(name, right)).toEqual([]);
    expect(faults(name, wrong)).toEqual([not]);
    expect(faults(name, right.slice(0, -60))).toEqual([not]);
  });
});

describe.each(SECRET_NAMES.filter((name) => !LINES.includes(name)))("%s", (name) => {
  test.each(EVERY)("refuses %j: %s", (value, what) => {
    expect(faults(name, value)).toEqual([what]);
  });
  test("takes 64 random hex digits, in either case", () => {
    expect(faults(name, GOOD)).toEqual([]);
    expect(faults(name, GOOD.toUpperCase())).toEqual([]);
  });
});

/** 36 letters of two bytes. */
const MUCH = "äöüßéñøåçîûàèòìâêôÿõãíúóáëïæœñßüþðüé";

test("TRAEFIK_DASHBOARD_PASSWORD is not cut in silence", () => {
  expect(faults("TRAEFIK_DASHBOARD_PASSWORD", MUCH)).toEqual([]);
  expect(faults("TRAEFIK_DASHBOARD_PASSWORD", `${MUCH}x`)).toEqual([
    "is longer than the 72 bytes that bcrypt takes",
  ]);
});

describe.each([
  "POSTGRES_PASSWORD",
  "REDIS_PASSWORD",
  "S3_SECRET_ACCESS_KEY",
  "TRAEFIK_DASHBOARD_PASSWORD",
] as const)("%s, which others may try,", (name) => {
  test.each(["a", "admin", "password", "k3#pW9z!qLm", "пароль"])("is not %j, which is short", (value) => {
    expect(faults(name, value)).toEqual(["is shorter than 12 characters"]);
  });
  test.each([
    ...["passwordpassword", "admin-password1", "Rejourney2026!", "minioadmin123", "rejourney-db-prod"],
    ...["qwertyuiop12", "aaaabbbbcccc", "------------", "1234567890123", "P@$$w0rd!!12", "Summer2024!!"],
    ...["1q2w3e4r5t6y", "hunter2hunter2", "letmein-please", "MyDatabase123"],
  ])("is not %j, which is common", (value) => {
    expect(faults(name, value)).toEqual([
      "is made of common words, dates or repetitions, so it can be guessed",
    ]);
  });
  test.each([
    "k3#pW9z!qLmX",
    "correct horse battery",
    "an old password of ours",
    "пароль-дождь-семь",
    "}{:;<>?/.,~!@#$%^a1",
  ])("may be %j", (value) => {
    expect(faults(name, value)).toEqual([]);
  });
});

describe("STORAGE_ENCRYPTION_KEY, exactly 64 hex digits,", () => {
  test.each([
    [GOOD.slice(1), "must have exactly 64 hex digits"],
    [`${GOOD}0`, "must have exactly 64 hex digits"],
    [`g${GOOD.slice(1)}`, "contains characters other than hex digits; it must have 64 hex digits"],
    [
      "n3DdnvMTgEvXcHRJ5m0fWZ9sQb1yKaLu2Ip7oAtE8xk=",
      "contains characters other than hex digits; it must have 64 hex digits",
    ],
    ["0".repeat(64), PREDICTABLE],
    ["0123456789abcdef".repeat(4), PREDICTABLE],
    [GOOD.slice(0, 32).repeat(2), PREDICTABLE],
    [GOOD.slice(0, 32).repeat(2).toUpperCase(), PREDICTABLE],
  ])("refuses %s: %s", (value, what) => {
    expect(faults("STORAGE_ENCRYPTION_KEY", value)).toEqual([what]);
  });
});

describe.each(KEYS.filter((name) => name !== "STORAGE_ENCRYPTION_KEY"))("%s, at least 32 bytes,", (name) => {
  test.each([
    [GOOD.slice(0, 31), "is shorter than 32 bytes"],
    ["ééééééééééééééé", "is shorter than 32 bytes"], // 30 bytes in UTF-8
    ["abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", PREDICTABLE],
    ["zyxwvutsrqponmlkjihgfedcba9876543210", PREDICTABLE],
    ["abababababababababababababababab", PREDICTABLE],
    ["correct-horse-correct-horse-correct-horse-", PREDICTABLE],
    ["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabc", PREDICTABLE],
  ])("refuses %s: %s", (value, what) => {
    expect(faults(name, value)).toEqual([what]);
  });
  test.each([
    GOOD.slice(0, 32),
    "n3DdnvMTgEvXcHRJ5m0fWZ9sQb1yKaLu2Ip7oAtE8xk=",
    "a sentence with many words in it, that nobody said before",
    "päßwörter-sind-länger-als-man-denkt-#42",
  ])("takes %s", (value) => {
    expect(faults(name, value)).toEqual([]);
  });
});

test("a password that only its provider knows may be short", () => {
  expect(faults("SMTP_PASS", "tr0ub4dor")).toEqual([]);
});

test("two keys alike are named, in either case, and the value never", () => {
  const problems = secretProblems(
    {
      JWT_SECRET: { value: GOOD, place: ".env line 1" },
      INGEST_HMAC_SECRET: { value: OTHER, place: ".env line 2" },
      STORAGE_ENCRYPTION_KEY: { value: GOOD.toUpperCase(), place: ".env line 3" },
    },
    "selfhosted",
  );
  expect(problems.map(({ key, what }) => [key, what])).toEqual([
    ["STORAGE_ENCRYPTION_KEY", "has the same value as JWT_SECRET"],
  ]);
  expect(JSON.stringify(problems).toLowerCase()).not.toContain(GOOD);
});

test("the fix follows from where the value stands, and warns where data depends on it", () => {
  const fix = (name: SecretName, value: string, place: string) =>
    secretProblems({ [name]: { value, place } }, "selfhosted")[0]?.fix;
  expect(fix("JWT_SECRET", "", ".env line 4")).toBe("npx rejourney secrets generate");
  expect(fix("JWT_SECRET", "short", ".env line 4")).toBe(
    "empty the value (.env line 4), then: npx rejourney secrets generate",
  );
  expect(fix("JWT_SECRET", "short", "rejourney:JWT_SECRET")).toBe(
    "npm run pulumi -- config rm rejourney:JWT_SECRET --stack selfhosted (a new one is generated)",
  );
  const ofProd = secretProblems({ JWT_SECRET: { value: "", place: "prod.env line 1" } }, "prod");
  expect(ofProd[0]?.fix).toBe("npx rejourney secrets generate --stack prod");
  expect(fix("SMTP_PASS", "", ".env line 4")).toBe(
    "set it to the value from its provider (.env line 4), or remove it",
  );
  expect(fix("TRAEFIK_DASHBOARD_PASSWORD", "admin", ".env line 4")).toBe("choose another one (.env line 4)");
  expect(fix("POSTGRES_PASSWORD", "admin", ".env line 4")).toBe(
    "put back the value in use; if this is it, remove it (.env line 4), then: npx rejourney secrets rotate POSTGRES_PASSWORD; " +
      "if there is no data yet: empty the value (.env line 4), then: npx rejourney secrets generate",
  );
  expect(fix("STORAGE_ENCRYPTION_KEY", "short", ".env line 4")).toBe(
    "put back the value in use; if there is no data yet: " +
      "empty the value (.env line 4), then: npx rejourney secrets generate",
  );
});
