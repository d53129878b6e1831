import { createDecipheriv } from "node:crypto";

/**
 * Opens key_ref: base64(iv):base64(tag):base64(ciphertext), AES-256-GCM with a 12-byte IV, by a key of 64 hex digits.
 */
export function openKeyRef(keyRef, hexKey) {
  const [iv, tag, ciphertext] = keyRef.split(":").map((part) => Buffer.from(part, "base64"));
  if (iv?.length !== 12 || tag?.length !== 16 || !ciphertext) throw new Error("key_ref is malformed");
  const decipher = createDecipheriv("aes-256-gcm", Buffer.from(hexKey ?? "", "hex"), iv);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
}
