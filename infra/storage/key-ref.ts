import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

/** The length of an IV in bytes. */
const IV_BYTES = 12;

/** A `storage_endpoints.key_ref` that holds this S3 secret key, for the same key of 64 hex digits. */
export function sealKeyRef(secretKey: string, hexKey: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(hexKey, "hex"), iv);
  const ciphertext = Buffer.concat([cipher.update(secretKey, "utf8"), cipher.final()]);
  return [iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString("base64")).join(":");
}

/**
 * The S3 secret key in a `storage_endpoints.key_ref`: `base64(iv):base64(tag):base64(ciphertext)`, AES-256-GCM with a
 * 12-byte IV, by a key of 64 hex digits. Throws when the key does not open it, or it has another form.
 */
export function openKeyRef(keyRef: string, hexKey: string): string {
  const [iv, tag, ciphertext] = keyRef.split(":").map((part) => Buffer.from(part, "base64"));
  if (iv?.length !== IV_BYTES || tag?.length !== 16 || ciphertext === undefined)
    throw new Error("key_ref has another form");
  const decipher = createDecipheriv("aes-256-gcm", Buffer.from(hexKey, "hex"), iv);
  decipher.setAuthTag(tag);
  return Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString("utf8");
}
