import { afterEach, describe, expect, test, vi } from "vitest";
import { command, shownEnvFile } from "../../infra/settings/command.ts";

afterEach(() => vi.unstubAllEnvs());

describe("a command that is shown", () => {
  test.each<[string, string, string]>([
    ["selfhosted", "up", "npm run up"],
    ["prod", "up", "npm run up -- --stack prod"],
    ["selfhosted", "down --delete-data", "npm run down -- --delete-data"],
    ["prod", "down --yes", "npm run down -- --yes --stack prod"],
    ["selfhosted", "pulumi cancel --yes", "npm run pulumi -- cancel --yes --stack selfhosted"],
    ["selfhosted", "secrets sync", "npx rejourney secrets sync"],
    ["prod", "secrets rotate JWT_SECRET", "npx rejourney secrets rotate JWT_SECRET --stack prod"],
    // Node would take the option for its own, and end when the file does not exist.
    [
      "prod",
      "secrets export --env-file in-use.env",
      "npx -- rejourney secrets export --env-file in-use.env --stack prod",
    ],
  ])("of the stack %s: %s", (stack, words, shown) => {
    expect(command(stack, words)).toBe(shown);
  });

  test("is about the file of settings in use", () => {
    expect(shownEnvFile()).toBe(".env");
    vi.stubEnv("REJOURNEY_ENV_FILE", "/srv/prod.env");
    expect(shownEnvFile()).toBe("/srv/prod.env");
    expect(command("prod", "up")).toBe("npm run up -- --stack prod --env-file /srv/prod.env");
    expect(command("selfhosted", "secrets sync")).toBe(
      "npx -- rejourney secrets sync --env-file /srv/prod.env",
    );
    expect(command("prod", "pulumi cancel --yes")).toBe("npm run pulumi -- cancel --yes --stack prod");
    expect(command("prod", "secrets export --env-file a.env")).toBe(
      "npx -- rejourney secrets export --env-file a.env --stack prod",
    );
    vi.stubEnv("REJOURNEY_ENV_FILE", "/srv/a b/it's.env");
    expect(command("selfhosted", "up")).toBe("npm run up -- --env-file '/srv/a b/it'\\''s.env'");
  });
});
