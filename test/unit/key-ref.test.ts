import { describe, expect, test } from "vitest";
import { openKeyRef } from "../../infra/storage/key-ref.ts";
import { sealedKeyRef } from "../key-ref.ts";
import { GOOD, OTHER } from "./values.ts";

describe("a key_ref", () => {
  test.each(["a secret key", "", "ключ/with+sïgns"])("that holds %o is opened by its key", (text) => {
    expect(openKeyRef(sealedKeyRef(text, GOOD), GOOD)).toBe(text);
  });

  test.each([
    ["by another key", sealedKeyRef("a secret key", GOOD), OTHER],
    ["when a byte differs", sealedKeyRef("a secret key", GOOD).replace(/.{4}$/, "AAAA"), GOOD],
    ["in another form", "not encrypted", GOOD],
    ["when it is empty", "", GOOD],
    ["by no key", sealedKeyRef("a secret key", GOOD), ""],
  ])("is not opened %s", (_, keyRef, key) => {
    expect(() => openKeyRef(keyRef, key)).toThrow();
  });
});
