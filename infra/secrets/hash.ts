import { createHmac } from "node:crypto";

/** HMAC-SHA256, cut to 16 hex digits: it tells that a value changed, and without the key nothing of the value. */
export function keyedHash(key: string, values: unknown): string {
  return createHmac("sha256", key).update(JSON.stringify(values)).digest("hex").slice(0, 16);
}
