import { createCipheriv, randomBytes } from "node:crypto";

/** A `storage_endpoints.key_ref` by the contract with the application, made by Node's own cipher. */
export function sealedKeyRef(text: string, hexKey: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", Buffer.from(hexKey, "hex"), iv);
  const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return [iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString("base64")).join(":");
}
