import * as pulumi from "@pulumi/pulumi";
import { connectionUrlsOf } from "../app/connections.ts";
import type { SecretName } from "../app/secrets.ts";
import type { SecretStore } from "../secrets/store.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Manifest, namespaced } from "./manifest.ts";
import { PULL_SECRET } from "./pod.ts";
import { isNeeded, SECRET_GROUPS, type SecretGroup, type SecretKey } from "./secret-groups.ts";

/** The value of every key of the Secrets. One that nobody has set is an empty text. */
export type Values = pulumi.Output<Record<SecretKey, string>>;

/** The values in use. Within the output, throws RunError when one is missing without which nothing starts. */
export function valuesInUse(settings: KubernetesSettings, store: SecretStore): Values {
  const { variables, addresses } = settings;
  return pulumi.secret(
    pulumi.all(store.values).apply((secrets: Record<SecretName, string>) => {
      const values = { ...variables, ...secrets, ...connectionUrlsOf(variables, secrets, addresses) };
      const missing = missingKeys(settings, values);
      if (missing.length === 0) return values;
      throw new pulumi.RunError(
        `${missing.join(", ")}: no value. Mend: add it to .env, then run the same command again`,
      );
    }),
  );
}

/** The keys without a value that something cannot start without. */
export function missingKeys(
  { registry }: KubernetesSettings,
  values: Readonly<Record<SecretKey, string>>,
): SecretKey[] {
  const needed = groups()
    .filter(isNeeded)
    .flatMap((group): readonly SecretKey[] => SECRET_GROUPS[group]);
  const pull = registry === undefined ? [] : (["REGISTRY_TOKEN"] as const);
  return [...needed, ...pull].filter((key) => values[key] === "");
}

/** The Secrets of the deployment, which only the engine knows the values of. */
export function secretManifests({ registry }: KubernetesSettings, values: Values): Manifest[] {
  const secrets = groups().map((group) => {
    const data = values.apply((all) => {
      const given = (SECRET_GROUPS[group] as readonly SecretKey[]).filter((key) => all[key] !== "");
      return Object.fromEntries(given.map((key) => [key, base64(all[key])]));
    });
    return namespaced("v1", "Secret", group, { type: "Opaque", data });
  });
  return registry === undefined ? secrets : [...secrets, pullSecret(registry, values)];
}

function pullSecret({ host, user }: NonNullable<KubernetesSettings["registry"]>, values: Values): Manifest {
  const config = values.apply(({ REGISTRY_TOKEN: token }) =>
    base64(JSON.stringify({ auths: { [host]: { auth: base64(`${user}:${token}`) } } })),
  );
  return namespaced("v1", "Secret", PULL_SECRET, {
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": config },
  });
}

function groups(): SecretGroup[] {
  return Object.keys(SECRET_GROUPS) as SecretGroup[];
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
