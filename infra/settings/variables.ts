import { STORAGE_PORT } from "../app/data.ts";
import type { Target } from "../app/catalogue.ts";
import { VARIABLES, type VariableName } from "../app/variables.ts";

/** Where the application is reached. */
export interface Addresses {
  target: Target;
  /** Host name of the dashboard. Absent: plain HTTP on this machine. */
  domain?: string | undefined;
  /** Published port for HTTP; needed without a domain. */
  httpPort?: number;
}

/** Every variable: what a source gives, or what follows from the target and the domain. */
export function completeVariables(
  given: Partial<Record<VariableName, string>>,
  { target, domain, httpPort }: Addresses,
): Record<VariableName, string> {
  const local = (host: string) => `http://${host}${httpPort === 80 ? "" : `:${httpPort}`}`;
  const url = (subdomain: string) =>
    domain === undefined ? local("localhost") : `https://${subdomain}${domain}`;
  const dashboard = given.PUBLIC_DASHBOARD_URL ?? url("");
  const s3 = domain === undefined ? local("s3.localhost") : `https://s3.${domain}`;
  const single = target === "docker"; // on a cluster, the table storage_endpoints says which buckets there are
  const defaults: Partial<Record<VariableName, string>> = {
    POSTGRES_USER: "rejourney",
    POSTGRES_DB: "rejourney",
    S3_ENDPOINT: single ? `http://storage:${STORAGE_PORT}` : "",
    S3_PUBLIC_ENDPOINT: given.S3_ENDPOINT ?? (single ? s3 : ""),
    S3_BUCKET: single ? "rejourney" : "",
    S3_REGION: single || given.S3_ENDPOINT !== undefined ? "us-east-1" : "",
    SELF_HOSTED_MODE: String(single),
    PUBLIC_DASHBOARD_URL: dashboard,
    PUBLIC_API_URL: url("api."),
    PUBLIC_INGEST_URL: url("ingest."),
    DASHBOARD_ORIGIN: new URL(dashboard).origin,
    SMTP_PORT: "587",
    SMTP_SECURE: "false",
  };
  const complete = VARIABLES.map((name) => [name, given[name] ?? defaults[name] ?? ""]);
  return Object.fromEntries(complete) as Record<VariableName, string>;
}

interface VariableRule {
  accepts: (value: string) => boolean;
  what: string;
}

const WEB_URL: VariableRule = {
  accepts: isWebUrl,
  what: "is not a URL of the form https://host[:port]",
};
const POSTGRES_NAME: VariableRule = {
  accepts: (value) => /^[a-z_][a-z0-9_]{0,62}$/.test(value),
  what: "is not a plain PostgreSQL name (a-z, 0-9 and _)",
};
const FLAG: VariableRule = {
  accepts: (value) => /^(true|false)$/.test(value),
  what: "is not true or false",
};

const RULES: Partial<Record<VariableName, VariableRule>> = {
  S3_ENDPOINT: WEB_URL,
  S3_PUBLIC_ENDPOINT: WEB_URL,
  PUBLIC_DASHBOARD_URL: WEB_URL,
  PUBLIC_API_URL: WEB_URL,
  PUBLIC_INGEST_URL: WEB_URL,
  DASHBOARD_ORIGIN: {
    accepts: (value) => isWebUrl(value) && new URL(value).origin === value,
    what: "is not an origin: https://host[:port] and nothing after it",
  },
  POSTGRES_USER: POSTGRES_NAME,
  POSTGRES_DB: POSTGRES_NAME,
  S3_BUCKET: {
    // Source: the rules for names of general purpose buckets, docs.aws.amazon.com.
    accepts: (value) => /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(value),
    what: "is not a bucket name (3 to 63 of a-z, 0-9, dot and hyphen)",
  },
  SELF_HOSTED_MODE: FLAG,
  SMTP_SECURE: FLAG,
  SMTP_PORT: {
    accepts: (value) => /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65535,
    what: "is not a port number (1 to 65535)",
  },
};

/** A cluster serves every address by HTTPS at its usual port, and nothing else. */
const CLUSTER_URL: VariableRule = {
  accepts: (value) => isWebUrl(value) && new URL(value).origin === `https://${new URL(value).hostname}`,
  what: "is not a URL of the form https://host, without a port",
};
const CLUSTER_RULES: Partial<Record<VariableName, VariableRule>> = {
  PUBLIC_DASHBOARD_URL: CLUSTER_URL,
  PUBLIC_API_URL: CLUSTER_URL,
  PUBLIC_INGEST_URL: CLUSTER_URL,
};

/** What is wrong with the value of a variable, as the end of a sentence; undefined when nothing is. */
export function variableFault(name: VariableName, value: string, target: Target): string | undefined {
  if (value.trim() === "") return "is empty";
  const rule = (target === "kubernetes" ? CLUSTER_RULES[name] : undefined) ?? RULES[name];
  return rule === undefined || rule.accepts(value) ? undefined : rule.what;
}

function isWebUrl(text: string): boolean {
  const url = URL.parse(text);
  const plain = url !== null && url.username === "" && url.search === "" && url.hash === "";
  return plain && /^https?:$/.test(url.protocol) && !/[\s"'`\\]/.test(text);
}
