import type { V1Secret } from "@kubernetes/client-node";
import { SECRET_NAMES } from "../../infra/app/secrets.ts";
import type { ClusterApi } from "../../infra/kubernetes/api.ts";
import { ClusterError } from "../../infra/kubernetes/errors.ts";
import { NAMESPACE } from "../../infra/manifest.ts";
import { type Log, troubles } from "./troubles.ts";

const SPACE = `/api/v1/namespaces/${NAMESPACE}`;
const SHOWN_LINES = 20;
/** Keys of Secrets whose values nobody gets to see; of the others, a log may hold a host name or an address. */
const HIDDEN = new Set<string>([...SECRET_NAMES, "DATABASE_URL", "REDIS_URL", "tls.key"]);

/**
 * The troubles of the stack's pods as text: why, the last lines of the log, and what mends it. Empty where there are
 * none, or where the cluster does not tell.
 */
export async function toldTroubles(api: ClusterApi, stack: string): Promise<string> {
  const found = await troubles(api, stack).catch(unlessRefused);
  if (found === undefined || found.length === 0) return "";
  const hidden = await secretsOf(api);
  const all = found.map(async ({ service, why, ready, mend, log }) => {
    const lines = log === undefined ? [] : await lastLines(api, log, hidden);
    const others =
      ready === 0 ? "" : ` (${ready === 1 ? "1 other pod of it runs" : `${ready} other pods of it run`})`;
    return [
      `  ${service}: ${why}${others}.`,
      ...(lines.length === 0 ? [] : ["    Its last lines:", ...lines.map((line) => `      ${line}`)]),
      `    Mend: ${mend}`,
    ].join("\n");
  });
  return (await Promise.all(all)).join("\n");
}

/** Longest first, since one may be a part of another. Undefined where they may not be read. */
async function secretsOf(api: ClusterApi): Promise<string[] | undefined> {
  const secrets = await api.list<V1Secret>(`${SPACE}/secrets`).catch(unlessRefused);
  const values = secrets?.flatMap(({ data = {} }) =>
    Object.entries(data)
      .filter(([key, value]) => HIDDEN.has(key) && value !== "")
      .flatMap(([, value]) => Buffer.from(value, "base64").toString().split("\n")),
  );
  return values
    ?.flatMap((value) => [value, encodeURIComponent(value)])
    .filter((value) => value.length > 3)
    .sort((a, b) => b.length - a.length);
}

async function lastLines(api: ClusterApi, log: Log, hidden: string[] | undefined): Promise<string[]> {
  if (hidden === undefined) return ["(not shown, since the secrets that may be in them cannot be read)"];
  const query = `container=${log.container}&tailLines=${SHOWN_LINES}&previous=${log.previous}`;
  let text = (await api.text(`${SPACE}/pods/${log.pod}/log?${query}`).catch(unlessRefused)) ?? "";
  for (const value of hidden) text = text.replaceAll(value, "[redacted]");
  return text
    .trimEnd()
    .split("\n")
    .filter((line) => line !== "");
}

/** What cannot be had now is left out: it would only add to a failure that is being told. */
function unlessRefused(error: unknown): undefined {
  if (!(error instanceof ClusterError)) throw error;
}
