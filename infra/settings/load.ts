import type { z } from "zod";
import { type DataAddresses, OWN_DATA } from "../app/connections.ts";
import { publicHosts } from "../app/routes.ts";
import { APPLICATION_IMAGES, type CLUSTER_IMAGES, type Images, imagesOf } from "../app/images.ts";
import type { SecretName } from "../app/secrets.ts";
import type { VariableName } from "../app/variables.ts";
import { certificateProblems } from "./certificate.ts";
import {
  configProblems,
  givenSecrets,
  givenBeside,
  givenVariables,
  missingStorage,
  notGenerated,
  RELEASE_VARIABLE,
  splitConfig,
  unknownEnvKeys,
} from "./check.ts";
import type { EnvFile } from "./env.ts";
import { SettingsError } from "./problem.ts";
import { type dockerSchema, type kubernetesSchema, schemas } from "./schema.ts";
import { secretProblems } from "./secret-rules.ts";
import { completeVariables } from "./variables.ts";

export interface SettingsInput {
  /** Name of the stack, as in `Pulumi.<stack>.yaml`. */
  stack: string;
  /** The stack's settings without the `rejourney:` before each key. */
  config: Record<string, unknown>;
  env: EnvFile;
  /** What the last `up` has taken. */
  taken?: TakenImages | undefined;
}

/** The images that an `up` has taken. They stand until a release is named, so that a lost `.env` changes nothing. */
export interface TakenImages {
  /** The release that was named, if one was. */
  release?: string | undefined;
  images: Partial<Images>;
}

interface Common {
  stack: string;
  /** Every variable of the application, complete. */
  variables: Record<VariableName, string>;
  /** Secret values that a source gives. */
  secrets: Partial<Record<SecretName, string>>;
  /** Secrets that the stack's file holds encrypted, so that only the engine can check them. */
  encrypted: readonly SecretName[];
  /** What `.env` gives and is not secret: variables, and the release. */
  environment: Record<string, string>;
  /** Names of the variables that a source gives; the others have their defaults. */
  givenVariables: readonly VariableName[];
  /** Secrets that another party makes. */
  notGenerated: readonly SecretName[];
  /** Things worth saying that stop nothing. */
  warnings: readonly string[];
}

/** A single node: one Docker host. */
export type DockerSettings = Omit<z.infer<typeof dockerSchema>, "variables"> &
  Common & {
    projectName: string;
    httpPort: number;
    /** What the last `up` has taken, where it still counts; those of `images` come first. */
    takenImages: Partial<Images>;
    /** True when no external S3 is set: the project then runs an S3 server of its own. */
    builtInStorage: boolean;
  };

/** A cluster. */
export type KubernetesSettings = Omit<z.infer<typeof kubernetesSchema>, "variables"> &
  Common & {
    /** The images of the release, with what the settings replace. */
    images: Record<(typeof CLUSTER_IMAGES)[number], string>;
    /** Where the services find PostgreSQL and Redis. */
    addresses: DataAddresses;
  };

export type Settings = DockerSettings | KubernetesSettings;

/**
 * Checks everything at once. Throws SettingsError with every problem found. With `secrets: "as they are"` none is held to
 * its rule: what uses none, such as a look at what runs, is not kept from its work by one.
 */
export function loadSettings(
  { stack, config, env, taken }: SettingsInput,
  rules: { secrets?: "as they are" } = {},
): Settings {
  const file = `Pulumi.${stack}.yaml`;
  const { plain, secret } = splitConfig(config);
  const target = plain.target;
  if (target !== "docker" && target !== "kubernetes")
    throw new SettingsError([
      { key: "rejourney:target", what: "must be docker or kubernetes", fix: `set it in ${file}` },
    ]);
  const schema = schemas[target];
  const release = env.entries.get(RELEASE_VARIABLE)?.value;
  const parsed = schema.safeParse(
    { ...plain, ...(release !== undefined && { release }) },
    { reportInput: true },
  );
  const secrets = givenSecrets(secret, env);
  const variables = givenVariables(target, plain.variables, env);
  const unknown = unknownEnvKeys(env);
  const problems = [
    ...env.problems,
    ...unknown.problems,
    ...(parsed.error?.issues ?? []).flatMap((issue) =>
      configProblems(issue, { file, stack, env, shape: schema.shape }),
    ),
    ...missingEmail(parsed.data, file),
    ...missingRelease(parsed.data, file),
    ...originProblems(parsed.data, variables.given, secrets.given),
    ...(rules.secrets === undefined ? secretProblems(secrets.given, stack) : []),
    ...variables.problems,
    ...missingStorage(
      target,
      variables.given,
      [...Object.keys(secrets.given), ...secrets.encrypted],
      env.name,
    ),
  ];
  if (problems.length > 0 || !parsed.success) throw new SettingsError(problems);

  const { data } = parsed;
  const common = {
    stack,
    secrets: Object.fromEntries(Object.entries(secrets.given).map(([name, { value }]) => [name, value])),
    encrypted: secrets.encrypted,
    environment: givenBeside(env),
    givenVariables: Object.keys(variables.given) as VariableName[],
    notGenerated: notGenerated(plain, env),
    warnings: [...env.warnings, ...unknown.warnings],
  };
  if (data.target === "kubernetes")
    return {
      ...data,
      ...common,
      images: imagesOf(data.release ?? "", data.images),
      addresses: { ...OWN_DATA, ...data.external },
      variables: completeVariables(variables.given, data),
    };
  const httpPort = data.httpPort ?? (data.domain === undefined ? 8080 : 80);
  return {
    ...data,
    ...common,
    projectName: data.projectName ?? projectOf(stack),
    httpPort,
    takenImages: [undefined, taken?.release].includes(data.release) ? (taken?.images ?? {}) : {},
    builtInStorage: variables.given.S3_ENDPOINT === undefined,
    variables: completeVariables(variables.given, { ...data, httpPort }),
  };
}

/** A project of its own for each stack: two of one name would share containers and data. */
function projectOf(stack: string): string {
  return stack === "selfhosted"
    ? "rejourney"
    : `rejourney-${stack.toLowerCase().replaceAll(/[^a-z0-9_-]/g, "-")}`;
}

/** The same, of a stack that has to be a single node. */
export function loadDockerSettings(input: SettingsInput): DockerSettings {
  const settings = loadSettings(input);
  if (settings.target === "docker") return settings;
  throw new SettingsError([
    { key: "rejourney:target", what: "is not docker", fix: `name another stack than ${input.stack}` },
  ]);
}

/** The same, of a stack that has to be a cluster. */
export function loadKubernetesSettings(input: SettingsInput): KubernetesSettings {
  const settings = loadSettings(input);
  if (settings.target === "kubernetes") return settings;
  throw new SettingsError([
    { key: "rejourney:target", what: "is not kubernetes", fix: `name another stack than ${input.stack}` },
  ]);
}

/** A single node is asked for its release by `up`; what a cluster runs has to stand in a file. */
function missingRelease(
  data: z.infer<typeof dockerSchema | typeof kubernetesSchema> | undefined,
  file: string,
) {
  return data?.target === "kubernetes" &&
    data.release === undefined &&
    APPLICATION_IMAGES.some((name) => data.images[name] === undefined)
    ? [{ key: "rejourney:release", what: "is missing", fix: `set it in ${file}` }]
    : [];
}

function missingEmail(
  data: z.infer<typeof dockerSchema | typeof kubernetesSchema> | undefined,
  file: string,
) {
  if (data === undefined || data.acmeEmail !== undefined) return [];
  const asked = data.target === "docker" ? data.domain !== undefined : data.tls === "cert-manager";
  const what =
    data.target === "docker"
      ? "is missing; Let's Encrypt needs it for a domain"
      : "is missing; Let's Encrypt needs it, unless rejourney:tls names another certificate";
  return asked ? [{ key: "rejourney:acmeEmail", what, fix: `set it in ${file}` }] : [];
}

/** The certificate that `.env` gives. One that the stack holds already has been looked at when it was given. */
function originProblems(
  data: z.infer<typeof dockerSchema | typeof kubernetesSchema> | undefined,
  variables: Partial<Record<VariableName, string>>,
  { ORIGIN_CERTIFICATE: certificate, ORIGIN_PRIVATE_KEY: key }: ReturnType<typeof givenSecrets>["given"],
) {
  if (data?.target !== "kubernetes" || data.tls !== "cloudflare-origin" || certificate === undefined)
    return [];
  try {
    const hosts = publicHosts({ ...data, variables: completeVariables(variables, data) });
    return certificateProblems(
      certificate.value,
      key?.value,
      hosts.map(({ host }) => host),
    );
  } catch {
    return []; // an address that is no URL is told of by itself
  }
}
