import { SECRET_NAMES, type SecretName } from "../../infra/app/secrets.ts";
import { composeProject } from "../../infra/compose/project.ts";
import { secretsIn } from "../../infra/compose/references.ts";
import { type Manifest, NAMESPACE } from "../../infra/manifest.ts";
import { stages } from "../../infra/kubernetes/parts.ts";
import { keysRead } from "../../infra/kubernetes/readers.ts";
import { groupOf, type SecretKey } from "../../infra/kubernetes/secret-groups.ts";
import { completeValues, missingKeys, secretTemplates } from "../../infra/kubernetes/secrets.ts";
import { command } from "../../infra/settings/command.ts";
import { isGeneratedHere } from "../../infra/settings/generated.ts";
import type { DockerSettings, KubernetesSettings, Settings } from "../../infra/settings/load.ts";
import { SettingsError } from "../../infra/settings/problem.ts";
import { type Change, shown } from "../engine/progress.ts";

/** A value for every secret; one that nobody has given is an empty text. */
export type Secrets = Readonly<Record<SecretName, string>>;

/** What Secrets hold, in the clear, by `namespace/Secret/key`. */
export type Contents = Readonly<Record<string, string>>;

/** What a sync does, by names alone. A name is that of a secret, or where it stands in the cluster: `namespace/Secret/key`. */
export interface SyncPlan {
  added: string[];
  changed: string[];
  removed: string[];
  /** What somebody has changed in the cluster by hand, which is set back. */
  drifted: string[];
  unchanged: string[];
  /** What is in use, and no source gives any more. */
  kept: string[];
  /** The services whose containers or pods are replaced, since they read what changes. */
  restarts: string[];
}

/** The secrets in use that no source gives any more, and that are not generated. */
export function orphans(inUse: Secrets, sources: Partial<Secrets>, settings: Settings): SecretName[] {
  return SECRET_NAMES.filter(
    (name) => inUse[name] !== "" && sources[name] === undefined && !isGeneratedHere(name, settings),
  );
}

/** What changes on a single node. */
export function dockerPlan(settings: DockerSettings, inUse: Secrets, next: Secrets): Omit<SyncPlan, "kept"> {
  const compared = compare(inUse, next);
  const changes = touched(compared);
  const readers = Object.entries(composeProject(settings).services).filter(
    ([, { restart, scale = 1, ...service }]) =>
      restart !== "no" && scale > 0 && secretsIn(service).some((name) => changes.includes(name)),
  );
  return { ...compared, drifted: [], restarts: readers.map(([name]) => name) };
}

/** What the Secrets of a cluster are going to hold. Throws SettingsError when something lacks that is needed. */
export function contentsOf(settings: KubernetesSettings, secrets: Secrets, hashKey: string): Contents {
  const values = completeValues(settings, secrets);
  const missing = missingKeys(settings, values);
  if (missing.length > 0)
    throw new SettingsError(
      missing.map((key) => ({ key, what: "is required and has no value", fix: fixFor(key, settings) })),
    );
  const entries = secretTemplates(settings).flatMap(({ namespace, name, data }) =>
    Object.entries(data(values, hashKey)).map(([key, value]) => [`${namespace}/${name}/${key}`, value]),
  );
  return Object.fromEntries(entries) as Contents;
}

function fixFor(key: SecretKey, settings: KubernetesSettings): string {
  const made: readonly string[] = SECRET_NAMES.filter((name) => isGeneratedHere(name, settings));
  return made.includes(key) ? command(settings.stack, "secrets generate") : "add it to .env";
}

/** What changes on a cluster: by its Secrets as they were deployed, as they are going to be, and as they are now. */
export function clusterPlan(
  settings: KubernetesSettings,
  { deployed, next, live }: { deployed: Contents; next: Contents; live: Contents },
): Omit<SyncPlan, "kept"> {
  const compared = compare(deployed, next);
  const changes = touched(compared);
  const drifted = compared.unchanged.filter((name) => live[name] !== next[name]);
  const isRead = (manifest: Manifest) =>
    keysRead(manifest).some((key) => changes.includes(`${NAMESPACE}/${groupOf(key)}/${key}`));
  return {
    ...compared,
    drifted,
    unchanged: compared.unchanged.filter((name) => !drifted.includes(name)),
    restarts: workloads(settings)
      .filter(isRead)
      .map(({ metadata }) => metadata.name),
  };
}

type Compared = Pick<SyncPlan, "added" | "changed" | "removed" | "unchanged">;

/** What differs between two sets of values, by their names; an empty one is one that is not there. */
export function compare(before: Contents, after: Contents): Compared {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const of = (values: Contents, name: string) => values[name] ?? "";
  const differing = names.filter((name) => of(before, name) !== of(after, name));
  const added = differing.filter((name) => of(before, name) === "");
  const removed = differing.filter((name) => of(after, name) === "");
  return {
    added,
    removed,
    changed: differing.filter((name) => !added.includes(name) && !removed.includes(name)),
    unchanged: names.filter((name) => of(after, name) !== "" && !differing.includes(name)),
  };
}

/** The names of what changes. */
export function touched({ added, changed, removed }: Compared): string[] {
  return [...added, ...changed, ...removed];
}

/** The workloads whose pods last. A Job has run, and is left alone. */
export function workloads(settings: KubernetesSettings): Manifest[] {
  const manifests = stages(settings).flatMap((stage) => stage.flatMap((part) => part.manifests));
  return manifests.filter(({ kind }) => ["Deployment", "StatefulSet"].includes(kind));
}

/** The same with an empty text for what is not there. */
export function complete(values: Partial<Secrets>): Secrets {
  return Object.fromEntries(SECRET_NAMES.map((name) => [name, values[name] ?? ""])) as Secrets;
}

/** The plan as lines for people. */
export function told(plan: SyncPlan, others: readonly Change[]): string {
  const { added, changed, removed, drifted, kept, unchanged, restarts } = plan;
  const counts = Object.entries({ added, changed, removed, drifted }).map(
    ([word, names]) => `${names.length} ${word === "drifted" ? "to restore" : word}`,
  );
  return [
    ...added.map((name) => `+ ${name}`),
    ...changed.map((name) => `~ ${name}`),
    ...removed.map((name) => `- ${name}`),
    ...drifted.map((name) => `! ${name} was changed by hand and is restored`),
    ...kept.map((name) => `  ${name} is in use, but .env no longer has it; --prune removes it`),
    `${counts.filter((count) => !count.startsWith("0 ")).join(", ") || "0 changed"}, ${unchanged.length} unchanged`,
    ...(restarts.length === 0 ? [] : [`Restarts: ${restarts.join(", ")}`]),
    ...(others.length === 0 ? [] : ["Other changes:", ...others.map(shown)]),
    "",
  ].join("\n");
}
