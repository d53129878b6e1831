import * as pulumi from "@pulumi/pulumi";
import { connectionUrlsOf } from "../app/connections.ts";
import type { SecretName } from "../app/secrets.ts";
import { ORIGIN_SECRET } from "../edge/certificates.ts";
import { DASHBOARD_SECRET, htpasswd } from "../edge/dashboard.ts";
import type { SecretStore } from "../secrets/store.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Manifest, namespaced, SYSTEM_NAMESPACE } from "./manifest.ts";
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
  { registry, tls, traefikDashboard }: KubernetesSettings,
  values: Readonly<Record<SecretKey, string>>,
): SecretKey[] {
  const needed = groups()
    .filter(isNeeded)
    .flatMap((group): readonly SecretKey[] => SECRET_GROUPS[group]);
  const asked: readonly SecretKey[] = [
    ...(registry === undefined ? [] : (["REGISTRY_TOKEN"] as const)),
    ...(tls === "cloudflare-origin" ? (["ORIGIN_CERTIFICATE", "ORIGIN_PRIVATE_KEY"] as const) : []),
    ...(traefikDashboard === undefined ? [] : (["TRAEFIK_DASHBOARD_PASSWORD"] as const)),
  ];
  return [...needed, ...asked].filter((key) => values[key] === "");
}

/**
 * The Secrets of the deployment, which only the engine knows the values of. From `hashKey` follows how the password of
 * Traefik's dashboard is salted, so that the same password gives the same Secret.
 */
export function secretManifests(
  { registry, tls, traefikDashboard }: KubernetesSettings,
  values: Values,
  hashKey: pulumi.Input<string>,
): Manifest[] {
  const secrets = groups().map((group) => {
    const data = values.apply((all) => {
      const given = (SECRET_GROUPS[group] as readonly SecretKey[]).filter((key) => all[key] !== "");
      return Object.fromEntries(given.map((key) => [key, base64(all[key])]));
    });
    return namespaced("v1", "Secret", group, { type: "Opaque", data });
  });
  return [
    ...secrets,
    ...(registry === undefined ? [] : [pullSecret(registry, values)]),
    ...(tls === "cloudflare-origin" ? [originCertificate(values)] : []),
    ...(traefikDashboard === undefined ? [] : [dashboardUser(traefikDashboard.user, values, hashKey)]),
  ];
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

function originCertificate(values: Values): Manifest {
  const data = values.apply((all) => ({
    "tls.crt": base64(all.ORIGIN_CERTIFICATE),
    "tls.key": base64(all.ORIGIN_PRIVATE_KEY),
  }));
  return namespaced("v1", "Secret", ORIGIN_SECRET, { type: "kubernetes.io/tls", data });
}

/** Who may see Traefik's dashboard. */
function dashboardUser(user: string, values: Values, hashKey: pulumi.Input<string>): Manifest {
  const data = pulumi
    .all([values, hashKey])
    .apply(([all, key]) => ({ users: base64(htpasswd(user, all.TRAEFIK_DASHBOARD_PASSWORD, key)) }));
  const beside = { namespace: SYSTEM_NAMESPACE };
  return namespaced("v1", "Secret", DASHBOARD_SECRET, { type: "Opaque", data }, beside);
}

function groups(): SecretGroup[] {
  return Object.keys(SECRET_GROUPS) as SecretGroup[];
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
