import { describe, expect, test } from "vitest";
import { openKeyRef, sealKeyRef } from "../../infra/storage/key-ref.ts";
import { GOOD, OTHER } from "./values.ts";

describe("a key_ref", () => {
  test.each(["a secret key", "", "ключ/with+sïgns"])("that holds %o is opened by its key", (text) => {
    expect(openKeyRef(sealKeyRef(text, GOOD), GOOD)).toBe(text);
    expect(sealKeyRef(text, GOOD)).not.toBe(sealKeyRef(text, GOOD));
  });

  test.each([
    ["by another key", sealKeyRef("a secret key", GOOD), OTHER],
    ["when a byte differs", sealKeyRef("a secret key", GOOD).replace(/.{4}$/, "AAAA"), GOOD],
    ["in another form", "not encrypted", GOOD],
    ["when it is empty", "", GOOD],
    ["by no key", sealKeyRef("a secret key", GOOD), ""],
  ])("is not opened %s", (_, keyRef, key) => {
    expect(() => openKeyRef(keyRef, key)).toThrow();
  });
});
