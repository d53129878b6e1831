// Property values as the engine and a provider exchange them.

export type Value = null | boolean | number | string | Value[] | Values;
export interface Values {
  [key: string]: Value;
}

/** What the engine sends in a preview for a value that only a run will know. */
export const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

// Part of the engine's protocol: the key that marks an object as special, and the mark of a secret.
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";

export function isObject(value: Value | undefined): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value, or one within it, is not known yet. */
export function hasUnknown(value: Value | undefined): boolean {
  return typeof value === "object" && value !== null
    ? Object.values(value).some(hasUnknown)
    : value === UNKNOWN;
}

/** The value without what is null. */
export function compact(value: Value): Value {
  if (Array.isArray(value)) return value.map(compact);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, compact(inner)]));
}

/** Repeats what `kubectl apply` was given: of a Secret, its values. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const PASSING = ["managedFields", "resourceVersion", "generation"];

/** An object of the API server without what says nothing of it, or repeats what stands in it. */
export function kept(live: Values): Values {
  const without = (values: Values, keys: readonly string[]) =>
    Object.fromEntries(Object.entries(values).filter(([key]) => !keys.includes(key)));
  const metadata = without(live.metadata as Values, PASSING);
  if (isObject(metadata.annotations)) metadata.annotations = without(metadata.annotations, [LAST_APPLIED]);
  return { ...live, metadata };
}

/** An object as the state is to keep it: what a Secret holds is marked as secret here, whatever the inputs mark. */
export function guarded(object: Values): Values {
  if (object.kind !== "Secret" || object.data === undefined) return object;
  return { ...object, data: { [SIGNATURE]: SECRET, value: object.data } };
}

/** What is at a path such as `spec.selector`; UNKNOWN where it lies in what is not known yet. */
export function valueAt(object: Value | undefined, path: string): Value | undefined {
  let value = object;
  for (const key of path.split(".")) {
    if (value === UNKNOWN) return UNKNOWN;
    value = isObject(value) ? value[key] : undefined;
  }
  return value;
}
