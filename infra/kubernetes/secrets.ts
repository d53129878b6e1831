import * as pulumi from "@pulumi/pulumi";
import { connectionUrlsOf } from "../app/connections.ts";
import type { SecretName } from "../app/secrets.ts";
import { ORIGIN_SECRET } from "../edge/certificates.ts";
import { DASHBOARD_SECRET, htpasswd } from "../edge/dashboard.ts";
import type { SecretStore } from "../secrets/store.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { type Manifest, NAMESPACE, namespaced, SYSTEM_NAMESPACE } from "../manifest.ts";
import { PULL_SECRET } from "./pod.ts";
import { isNeeded, SECRET_GROUPS, type SecretGroup, type SecretKey } from "./secret-groups.ts";

/** The value of every key of the Secrets. One that nobody has set is an empty text. */
export type Values = pulumi.Output<Record<SecretKey, string>>;

/** The values in use. Within the output, throws RunError when one is missing without which nothing starts. */
export function valuesInUse(settings: KubernetesSettings, store: SecretStore): Values {
  return pulumi.secret(
    pulumi.all(store.values).apply((secrets: Record<SecretName, string>) => {
      const values = completeValues(settings, secrets);
      const missing = missingKeys(settings, values);
      if (missing.length === 0) return values;
      throw new pulumi.RunError(`${missing.join(", ")}: no value. Fix: add it to .env, then retry`);
    }),
  );
}

/** The secrets with all that stands beside them in the Secrets. */
export function completeValues(
  { variables, addresses }: KubernetesSettings,
  secrets: Record<SecretName, string>,
): Record<SecretKey, string> {
  return { ...variables, ...secrets, ...connectionUrlsOf(variables, secrets, addresses) };
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

/** A Secret, whose values follow from those in use. */
export interface SecretTemplate {
  namespace: string;
  name: string;
  type: string;
  /** The secrets and variables that it is made from. */
  from: readonly SecretKey[];
  /** What it holds, in the clear. From `hashKey` follows a salt, so that the same password gives the same Secret. */
  data: (values: Readonly<Record<SecretKey, string>>, hashKey: string) => Record<string, string>;
}

/** The Secrets of the deployment. */
export function secretTemplates(settings: KubernetesSettings): SecretTemplate[] {
  const { registry, tls, traefikDashboard } = settings;
  const own = { namespace: NAMESPACE, type: "Opaque" };
  return [
    ...groups().map((name): SecretTemplate => {
      const from: readonly SecretKey[] = SECRET_GROUPS[name];
      return { ...own, name, from, data: (all) => given(from, all) };
    }),
    ...(registry === undefined ? [] : [pullSecret(registry)]),
    ...(tls === "cloudflare-origin" ? [originCertificate()] : []),
    ...(traefikDashboard === undefined ? [] : [dashboardUser(traefikDashboard.user)]),
  ];
}

/** The Secrets of the deployment as objects, which only the engine knows the values of. */
export function secretManifests(
  settings: KubernetesSettings,
  values: Values,
  hashKey: pulumi.Input<string>,
): Manifest[] {
  return secretTemplates(settings).map(({ namespace, name, type, data }) => {
    const encoded = pulumi.all([values, hashKey]).apply(([all, key]) => {
      const entries = Object.entries(data(all, key));
      return Object.fromEntries(entries.map(([name, value]) => [name, base64(value)]));
    });
    return namespaced("v1", "Secret", name, { type, data: encoded }, { namespace });
  });
}

/** The keys that have a value. */
function given(keys: readonly SecretKey[], values: Readonly<Record<SecretKey, string>>) {
  return Object.fromEntries(keys.filter((key) => values[key] !== "").map((key) => [key, values[key]]));
}

function pullSecret({ host, user }: NonNullable<KubernetesSettings["registry"]>): SecretTemplate {
  return {
    namespace: NAMESPACE,
    name: PULL_SECRET,
    type: "kubernetes.io/dockerconfigjson",
    from: ["REGISTRY_TOKEN"],
    data: ({ REGISTRY_TOKEN: token }) => ({
      ".dockerconfigjson": JSON.stringify({ auths: { [host]: { auth: base64(`${user}:${token}`) } } }),
    }),
  };
}

function originCertificate(): SecretTemplate {
  return {
    namespace: NAMESPACE,
    name: ORIGIN_SECRET,
    type: "kubernetes.io/tls",
    from: ["ORIGIN_CERTIFICATE", "ORIGIN_PRIVATE_KEY"],
    data: (all) => ({ "tls.crt": all.ORIGIN_CERTIFICATE, "tls.key": all.ORIGIN_PRIVATE_KEY }),
  };
}

/** Who may see Traefik's dashboard. */
function dashboardUser(user: string): SecretTemplate {
  return {
    namespace: SYSTEM_NAMESPACE,
    name: DASHBOARD_SECRET,
    type: "Opaque",
    from: ["TRAEFIK_DASHBOARD_PASSWORD"],
    data: (all, key) => ({ users: htpasswd(user, all.TRAEFIK_DASHBOARD_PASSWORD, key) }),
  };
}

function groups(): SecretGroup[] {
  return Object.keys(SECRET_GROUPS) as SecretGroup[];
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
