import { describe, expect, test } from "vitest";
import { openKeyRef, sealKeyRef } from "../../infra/storage/key-ref.ts";
import { GOOD, OTHER } from "./values.ts";

/** A key_ref of which the first bytes of the tag are left. */
function tagCutTo(bytes: number): string {
  const [iv, tag, ciphertext] = sealKeyRef("a secret key", GOOD).split(":") as [string, string, string];
  const left = Buffer.from(tag, "base64").subarray(0, bytes);
  return [iv, left.toString("base64"), ciphertext].join(":");
}

describe("a key_ref", () => {
  test.each(["a secret key", "", "ключ/with+sïgns"])("that holds %o is opened by its key", (text) => {
    expect(openKeyRef(sealKeyRef(text, GOOD), GOOD)).toBe(text);
    expect(sealKeyRef(text, GOOD)).not.toBe(sealKeyRef(text, GOOD));
  });

  test.each([
    ["by another key", sealKeyRef("a secret key", GOOD), OTHER],
    ["when a byte differs", sealKeyRef("a secret key", GOOD).replace(/.{4}$/, "AAAA"), GOOD],
    // GCM takes a shorter tag too, which would be guessed sooner: of 4 bytes, every one in four thousand million fits.
    ["by a part of its tag", tagCutTo(4), GOOD],
    ["by its tag but for a byte", tagCutTo(15), GOOD],
    ["without its tag", tagCutTo(0), GOOD],
    ["in another form", "not encrypted", GOOD],
    ["when it is empty", "", GOOD],
    ["by no key", sealKeyRef("a secret key", GOOD), ""],
  ])("is not opened %s", (_, keyRef, key) => {
    expect(() => openKeyRef(keyRef, key)).toThrow();
  });
});
