import { z } from "zod";
import { servicesOn, type Target } from "../app/catalogue.ts";
import { VARIABLES } from "../app/variables.ts";
import { CLUSTER_IMAGES, type Images } from "../app/images.ts";

// Values come as YAML gives them from the stack's file, and as texts from the engine.
const wholeNumber = (what: string) => z.coerce.number(what).int(what);

const hostname = z
  .string()
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
    "is not a host name such as rejourney.example.com",
  );

// `pulumi config` hands every top-level value over as a text.
const flag = z
  .union([z.boolean(), z.enum(["true", "false"])], "is neither true nor false")
  .transform((value) => String(value) === "true");

const NOT_A_PORT = "is not a port number (1 to 65535)";
const port = wholeNumber(NOT_A_PORT).min(1, NOT_A_PORT).max(65535, NOT_A_PORT);

const TAG = /[\w][\w.-]{0,127}/;
const release = z
  .string("is a number in YAML, which drops trailing zeros; put it in quotes")
  .regex(new RegExp(`^${TAG.source}$`), "is not a tag such as 1.4.0")
  .refine((tag) => tag !== "latest", "is `latest`, which changes; set an exact tag");

const image = z
  .string()
  .regex(
    new RegExp(`^[a-z0-9]+(?:[._/:-]+[a-z0-9]+)*(?::${TAG.source}|(?::${TAG.source})?@sha256:[0-9a-f]{64})$`),
    "is not an image reference with an exact tag or a digest",
  )
  .refine((reference) => !/:latest$/.test(reference), "has the tag `latest`, which is not exact");

const memory = z
  .string()
  .regex(/^[1-9]\d*[MG]$/, "is not a memory size such as 512M or 2G")
  .transform((text) => Number.parseInt(text, 10) * (text.endsWith("G") ? 1024 : 1));

const limits = z.strictObject({
  /** Memory limit, as `512M` or `2G`; in MiB once parsed. Default: the catalogue's. */
  memory: memory.optional(),
  /** CPU limit in cores. Default: the catalogue's. */
  cpus: z.coerce.number("is not a number of cores").min(0.05, "is below 0.05 cores").optional(),
});

const serviceOverride = limits.extend({
  /** How many run; 0 for a worker that the release does not have. Default 1. */
  replicas: wholeNumber("is not a whole number").min(0, "is below 0").max(20, "is above 20").optional(),
  /** Seconds from its start until it has to be healthy. Default 120; on a single node 60, and then half a minute. */
  startSeconds: wholeNumber("is not a whole number of seconds")
    .min(5, "is below 5")
    .max(1800, "is above 1800")
    .optional(),
  /** Replaces the catalogue's command. */
  command: z.array(z.string()).min(1, "is empty").optional(),
});

const services = <T extends z.ZodType>(target: Target, override: T) =>
  z.partialRecord(z.enum(servicesOn(target).map(({ name }) => name)), override).default({});

/** Replaces single images, by exact tag or digest. Default: the release's, and `infra/app/images.ts`. */
const images = <N extends keyof Images>(names: readonly N[]) =>
  z.partialRecord(z.enum(names), image).default({});

const common = {
  /** Release of the application: the tag of its images. Needed to deploy. */
  release: release.optional(),
  /** Address that Let's Encrypt writes to before a certificate expires. */
  acmeEmail: z.email("is not an e-mail address").optional(),
  /** Replaces the command of the migration. Default `[drizzle-kit, migrate]`. */
  migrateCommand: z.array(z.string()).min(1, "is empty").optional(),
  /** What `.env` may hold and is not secret, for where there is no `.env`. A variable in `.env` wins. */
  variables: z.partialRecord(z.enum(VARIABLES), z.coerce.string()).default({}),
};

/** The settings of a single node, below `rejourney:` in `Pulumi.<stack>.yaml`. */
export const dockerSchema = z.strictObject({
  ...common,
  images: images(["api", "web", "migration", "postgres", "redis", "storage", "traefik"]),
  target: z.literal("docker"),
  /** Name of the Compose project: prefix of its containers, networks and volumes. Default: of the stack. */
  projectName: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,40}$/, "is not a Compose project name (a-z, 0-9, _ and -)")
    .optional(),
  /** Host name of the dashboard; `api.`, `ingest.` and `s3.` go before it. Absent: plain HTTP on this machine. */
  domain: hostname.optional(),
  /** Published port for HTTP. Default 80 with a domain, 8080 without. */
  httpPort: port.optional(),
  /** Published port for HTTPS; used with a domain. */
  httpsPort: port.default(443),
  /** Changes to services of the catalogue, by name. */
  services: services("docker", serviceOverride),
  /** Other limits for a data service. PostgreSQL and Redis are tuned to their memory. */
  data: z.partialRecord(z.enum(["postgres", "redis", "storage"]), limits).default({}),
});

const clusterService = serviceOverride
  .extend({
    /** Most pods that the autoscaler may run. Default: the catalogue's; with `replicas` set, the same number. */
    maxReplicas: wholeNumber("is not a whole number")
      .min(1, "is below 1")
      .max(100, "is above 100")
      .optional(),
  })
  .refine(({ replicas = 1, maxReplicas = replicas }) => maxReplicas >= replicas, {
    path: ["maxReplicas"],
    error: "is below replicas",
  })
  .refine(({ replicas, maxReplicas }) => replicas !== 0 || maxReplicas === undefined, {
    path: ["maxReplicas"],
    error: "has no effect beside replicas: 0",
  });

const clusterData = limits.extend({
  /** Size of the volume, as `20G`; in GiB once parsed. Default 20 for PostgreSQL, 5 for Redis. */
  storage: z
    .string()
    .regex(/^[1-9]\d*G$/, "is not a size in gigabytes such as 20G")
    .transform((text) => Number.parseInt(text, 10))
    .optional(),
});

const NOT_A_HOST = "is not a host name or an address";
const host = z.string(NOT_A_HOST).regex(/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?$/, NOT_A_HOST);

const secretName = z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "is not the name of a Secret");

/** Requests a second from one client; twice as many at once. */
const rate = wholeNumber("is not a whole number of requests a second").min(1, "is below 1").optional();
const requestLimits = z.strictObject({
  web: z.strictObject({ rate }).optional(),
  /** `body`: largest body of a request, as `16M` or `1G`; in MiB once parsed. */
  api: z.strictObject({ rate, body: memory.optional() }).optional(),
  ingest: z.strictObject({ rate, body: memory.optional() }).optional(),
});

const address = z
  .union([z.ipv4(), z.ipv6()], "is not an IP address")
  // An IPv6 address has many forms; Cloudflare tells the shortest.
  .transform((text) => (text.includes(":") ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text));

/** How Cloudflare stands before the cluster. */
const cloudflare = z
  .strictObject({
    /** Whether requests come through Cloudflare's proxies, which then tell whom they ask for. */
    proxied: z.boolean("is neither true nor false").default(true),
    /** Zone whose DNS records this stack keeps, by CLOUDFLARE_API_TOKEN. Default: it keeps none. */
    zoneId: z
      .string()
      .regex(/^[0-9a-f]{32}$/, "is not a zone's ID (32 hex digits, on its overview page)")
      .optional(),
    /** Public addresses of the nodes, IPv4 or IPv6: what the records point to. */
    addresses: z
      .array(address)
      .min(1, "is empty")
      .max(20, "has more than 20 addresses")
      .refine((all) => new Set(all).size === all.length, "has an address twice")
      .optional(),
  })
  .superRefine(({ zoneId, addresses }, context) => {
    const missing = zoneId === undefined ? "zoneId" : "addresses";
    if ((zoneId === undefined) !== (addresses === undefined))
      context.addIssue({
        code: "custom",
        path: [missing],
        message: "is missing beside the other of the two",
      });
  });

/** The settings of a cluster. */
export const kubernetesSchema = z
  .strictObject({
    ...common,
    images: images(CLUSTER_IMAGES),
    target: z.literal("kubernetes"),
    /** Context of the kubeconfig, which KUBECONFIG names, else `~/.kube/config`. Default: its current one. */
    context: z.string().min(1, "is empty").optional(),
    /** Host name of the dashboard; `api.` and `ingest.` go before it. */
    domain: hostname,
    services: services("kubernetes", clusterService),
    /** Other limits and volumes for the data services in the cluster, which are tuned to their memory. */
    data: z.partialRecord(z.enum(["postgres", "redis"]), clusterData).default({}),
    /** Data services that somebody else runs; the cluster then has none. Their passwords have to be given. */
    external: z
      .strictObject({
        postgres: z
          .strictObject({
            host,
            port: port.default(5432),
            /** As in a connection string of libpq. */
            sslmode: z.enum(["disable", "require", "verify-full"]).default("require"),
          })
          .optional(),
        redis: z.strictObject({ host, port: port.default(6379), tls: z.boolean().default(true) }).optional(),
      })
      .default({}),
    /** An existing StorageClass, whose volumes outlive their claims. Default: one over the disks of K3s's nodes. */
    storageClass: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, "is not the name of a StorageClass")
      .optional(),
    /** Addresses of the cluster's pods and Services, which are not the outside. Default: those of K3s. */
    clusterRanges: z
      .array(z.cidrv4("is not a range of IPv4 addresses such as 10.42.0.0/16"))
      .default(["10.42.0.0/16", "10.43.0.0/16"]),
    /** A private registry that the images come from; REGISTRY_TOKEN is the password. Default: none is needed. */
    registry: z
      .strictObject({
        /** Its host name, with a port where it has one. */
        host: z
          .string()
          .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/, "is not a host name, with a port or without")
          .default("ghcr.io"),
        user: z.string().min(1, "is empty"),
      })
      .optional(),
    /**
     * Where the hosts' certificate comes from: cert-manager by Let's Encrypt; ORIGIN_CERTIFICATE and ORIGIN_PRIVATE_KEY, which
     * Cloudflare signs for itself; or a Secret of type kubernetes.io/tls that somebody else keeps in the namespace.
     */
    tls: z
      .union(
        [z.enum(["cert-manager", "cloudflare-origin"]), z.strictObject({ secret: secretName })],
        "is none of cert-manager, cloudflare-origin and { secret: NAME }",
      )
      .default("cert-manager"),
    /** Whether www.<dashboard> leads to the dashboard. Default: where the dashboard's host has two labels. */
    www: flag.optional(),
    cloudflare: cloudflare.optional(),
    /** What one client may send, by who is asked. Default: `infra/edge/ingress.ts`. */
    limits: requestLimits.default({}),
    /** Traefik's own dashboard at traefik.<domain>, for this user with TRAEFIK_DASHBOARD_PASSWORD. Default: none. */
    traefikDashboard: z
      .strictObject({
        user: z
          .string()
          .regex(/^[\w.-]{1,64}$/, "is not a plain name (letters, digits, dot, hyphen and _)")
          .default("admin"),
      })
      .optional(),
  })
  .superRefine(({ tls, cloudflare }, context) => {
    // Browsers do not know the authority that signs it.
    if (tls === "cloudflare-origin" && cloudflare?.proxied !== true)
      context.addIssue({
        code: "custom",
        path: ["tls"],
        message: "is cloudflare-origin, which Cloudflare alone trusts, without cloudflare: { proxied: true }",
      });
  })
  .superRefine(({ data, external }, context) => {
    for (const name of ["postgres", "redis"] as const)
      if (data[name] !== undefined && external[name] !== undefined)
        context.addIssue({
          code: "custom",
          path: ["data", name],
          message: `has no effect beside external.${name}`,
        });
  });

export const schemas = { docker: dockerSchema, kubernetes: kubernetesSchema };
