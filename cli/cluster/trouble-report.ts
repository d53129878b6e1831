import type { V1Secret } from "@kubernetes/client-node";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/cluster/api.ts";
import { ClusterError } from "../../infra/cluster/errors.ts";
import { redactor } from "../../infra/secrets/redact.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { type Log, troubles } from "./troubles.ts";

const SPACE = `/api/v1/namespaces/${NAMESPACE}`;
const SHOWN_LINES = 20;
/** Keys of Secrets whose values nobody gets to see; of the others, a log may hold a host name or an address. */
const HIDDEN = new Set<string>([...SECRET_NAMES, "DATABASE_URL", "REDIS_URL", "tls.key", "users"]);
/** The key of a Secret that pulls images. */
const REGISTRIES = ".dockerconfigjson";

type Redactor = (text: string) => string;

/**
 * The troubles of the stack's pods as text: why, the last lines of the log, and what fixes it. Empty where there are
 * none, or where the cluster does not tell.
 */
export async function toldTroubles(api: ClusterApi, stack: string): Promise<string> {
  const found = await troubles(api, stack).catch(unlessRefused);
  if (found === undefined || found.length === 0) return "";
  const redacted = await redactorOf(api);
  const all = found.map(async ({ service, why, ready, fix, log }) => {
    const lines = log === undefined ? [] : await lastLines(api, log, redacted);
    const others = ready === 0 ? "" : ` (${ready === 1 ? "1 other pod runs" : `${ready} other pods run`})`;
    return [
      `  ${service}: ${reason(why, redacted)}${others}.`,
      ...(lines.length === 0 ? [] : ["    Last lines of its log:", ...lines.map((line) => `      ${line}`)]),
      `    Fix: ${fix}`,
    ].join("\n");
  });
  return (await Promise.all(all)).join("\n");
}

/** Why a service does not run, in one line: a message of the cluster may quote what a container says, or a request. */
export function reason(why: string, redacted: Redactor = (text) => text): string {
  return redacted(why)
    .trim()
    .replaceAll(/\s*\n\s*/g, " ");
}

/** Takes the secrets of the deployment out of a text. Undefined where they may not be read. */
export async function redactorOf(api: ClusterApi): Promise<Redactor | undefined> {
  const secrets = await api.list<V1Secret>(`${SPACE}/secrets`).catch(unlessRefused);
  if (secrets === undefined) return undefined;
  const values = secrets.flatMap(({ data = {} }) =>
    Object.entries(data).flatMap(([key, value]) => {
      const text = Buffer.from(value, "base64").toString();
      if (key === REGISTRIES) return credentialsIn(text);
      return HIDDEN.has(key) ? [text] : [];
    }),
  );
  return redactor(values);
}

/** What logs in to registries: as it is stored, and the passwords in it. */
function credentialsIn(config: string): string[] {
  try {
    const { auths } = JSON.parse(config) as { auths?: Record<string, Login> | null };
    return Object.values(auths ?? {}).flatMap(({ auth = "", password = "", identitytoken = "" }) => {
      const login = Buffer.from(auth, "base64").toString();
      return [auth, login.slice(login.indexOf(":") + 1), password, identitytoken];
    });
  } catch {
    return [config]; // another's, which the API server has not checked
  }
}

interface Login {
  auth?: string;
  password?: string;
  identitytoken?: string;
}

async function lastLines(api: ClusterApi, log: Log, redacted: Redactor | undefined): Promise<string[]> {
  if (redacted === undefined)
    return ["(not shown: the cluster does not allow to read the secrets that they may contain)"];
  const query = `container=${log.container}&tailLines=${SHOWN_LINES}&previous=${log.previous}`;
  const text = (await api.text(`${SPACE}/pods/${log.pod}/log?${query}`).catch(unlessRefused)) ?? "";
  return redacted(text)
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "");
}

/** What cannot be had now is left out: it would only add to a failure that is being told. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof ClusterError)) throw error;
}
