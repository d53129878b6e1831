import { createDecipheriv } from "node:crypto";

/**
 * The S3 secret key in a `storage_endpoints.key_ref`: `base64(iv):base64(tag):base64(ciphertext)`, AES-256-GCM with a
 * 12-byte IV, by a key of 64 hex digits. Throws when the key does not open it, or it has another form.
 */
export function openKeyRef(keyRef: string, hexKey: string): string {
  const [iv, tag, ciphertext] = keyRef.split(":").map((part) => Buffer.from(part, "base64"));
  if (iv?.length !== 12 || tag?.length !== 16 || ciphertext === undefined)
    throw new Error("key_ref has another form");
  const decipher = createDecipheriv("aes-256-gcm", Buffer.from(hexKey, "hex"), iv);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
}
