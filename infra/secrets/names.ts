import type { SecretName } from "../app/secrets.ts";

/** The name of the component that holds the secrets of a stack; the names of the resources in it begin with it. */
export const SECRET_STORE = "secrets";

/** The name of the resource that holds a secret. */
export function slotName(secret: SecretName, store: string = SECRET_STORE): string {
  return `${store}-${secret.toLowerCase().replaceAll("_", "-")}`;
}

/** The name of the resource that generates a secret. */
export function generatorName(secret: SecretName, store: string = SECRET_STORE): string {
  return `${slotName(secret, store)}-generated`;
}

/** The name of the resource that generates the key of the hashes by which a changed secret shows. */
export function hashKeyName(store: string = SECRET_STORE): string {
  return `${store}-hash-key`;
}

/** The name of the resource that holds what there is to remember of rotations. */
export function rotationsName(store: string = SECRET_STORE): string {
  return `${store}-rotations`;
}
