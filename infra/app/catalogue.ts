import type { ServiceSecret } from "./secrets.ts";
import type { DerivedName, VariableName } from "./variables.ts";

export type Target = "kubernetes" | "docker";
/** A data service; the S3 server is one where the project runs its own. */
export type Backend = "postgres" | "redis" | "storage";
/** An image of the application: `<repository>/<name>:<release>`. */
export type ImageName = "api" | "web" | "migration";

export type Health =
  /** GET `path` on the service's port answers 2xx or 3xx. */
  | { kind: "http"; path: string }
  /** The process holds an open connection to a data service; workers listen on no port. */
  | { kind: "connected" };

/** What a process asks for, or may use at most: above the memory it is killed. */
export interface Resources {
  /** Memory in MiB. */
  memoryMiB: number;
  /** In cores. */
  cpus: number;
}

/** How many pods a cluster runs; `max` above `min` means that an autoscaler decides. */
export interface Scaling {
  min: number;
  max: number;
  /** CPU use, in percent of what is requested, that the autoscaler aims at. */
  cpuPercent: number;
}

/** One process of the application, described once; each target renders it in its own terms. */
export interface Service {
  name: string;
  image: ImageName;
  /** The image's own command when absent. */
  command?: readonly string[];
  /** The port that it listens on; a service without one is a worker. */
  port?: number;
  health: Health;
  /** What a cluster sets aside for one pod. */
  requests: Resources;
  /** What it may use at most. */
  resources: Resources;
  /** On a cluster. Absent: one pod. */
  scaling?: Scaling;
  targets: readonly Target[];
  /** The data services that it talks to, which decides what it can reach. */
  needs: readonly Backend[];
  secrets: readonly ServiceSecret[];
  derived: readonly DerivedName[];
  variables: readonly VariableName[];
  /** What it reads where somebody has set it; absent otherwise. */
  optional?: readonly (ServiceSecret | VariableName)[];
  /** What is the same wherever it runs. */
  fixed?: Readonly<Record<string, string>>;
  /** Seconds between SIGTERM and SIGKILL. */
  stopSeconds: number;
}

const PUBLIC_URLS = [
  "PUBLIC_DASHBOARD_URL",
  "PUBLIC_API_URL",
  "PUBLIC_INGEST_URL",
  "DASHBOARD_ORIGIN",
] as const satisfies VariableName[];
const SMTP = [
  "SMTP_HOST",
  "SMTP_PORT",
  "SMTP_USER",
  "SMTP_FROM",
  "SMTP_SECURE",
] as const satisfies VariableName[];
const STRIPE = ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] as const satisfies ServiceSecret[];

// What every process over the API image checks at its start, and needs to reach the data.
const BACKEND = {
  image: "api",
  needs: ["postgres", "redis", "storage"],
  derived: ["DATABASE_URL", "REDIS_URL"],
  secrets: [
    "JWT_SECRET",
    "JWT_SIGNING_KEY",
    "INGEST_HMAC_SECRET",
    "STORAGE_ENCRYPTION_KEY",
    "S3_ACCESS_KEY_ID",
    "S3_SECRET_ACCESS_KEY",
  ],
  variables: [
    "S3_ENDPOINT",
    "S3_PUBLIC_ENDPOINT",
    "S3_BUCKET",
    "S3_REGION",
    "SELF_HOSTED_MODE",
    ...PUBLIC_URLS,
  ],
} as const satisfies Partial<Service>;

const WORKER = {
  ...BACKEND,
  health: { kind: "connected" },
  requests: { memoryMiB: 128, cpus: 0.05 },
  resources: { memoryMiB: 512, cpus: 0.5 },
  targets: ["kubernetes", "docker"],
  stopSeconds: 30,
} as const satisfies Partial<Service>;

/** The long-running services of the application. Adding a worker is one entry here. */
export const SERVICES: readonly Service[] = [
  {
    ...BACKEND,
    name: "api",
    port: 3000,
    health: { kind: "http", path: "/health" },
    requests: { memoryMiB: 256, cpus: 0.1 },
    resources: { memoryMiB: 512, cpus: 0.5 },
    scaling: { min: 2, max: 4, cpuPercent: 70 },
    targets: ["kubernetes", "docker"],
    variables: [...BACKEND.variables, ...SMTP],
    optional: [
      "SMTP_PASS",
      "GITHUB_CLIENT_ID",
      "GITHUB_CLIENT_SECRET",
      "TURNSTILE_SITE_KEY",
      "TURNSTILE_SECRET_KEY",
      ...STRIPE,
    ],
    stopSeconds: 30,
  },
  {
    name: "web",
    image: "web",
    port: 8080,
    health: { kind: "http", path: "/" },
    requests: { memoryMiB: 128, cpus: 0.05 },
    resources: { memoryMiB: 256, cpus: 0.5 },
    scaling: { min: 2, max: 4, cpuPercent: 70 },
    targets: ["kubernetes", "docker"],
    needs: [],
    secrets: [],
    derived: [],
    variables: PUBLIC_URLS,
    optional: ["TURNSTILE_SITE_KEY"],
    // It hands requests of the browser on to the API; both targets give the API this name.
    fixed: { API_URL: "http://api:3000" },
    stopSeconds: 15,
  },
  {
    ...WORKER,
    name: "ingest-worker",
    command: ["node", "dist/worker/ingestWorker.js"],
    requests: { memoryMiB: 256, cpus: 0.1 },
    resources: { memoryMiB: 768, cpus: 1 },
    scaling: { min: 2, max: 8, cpuPercent: 60 },
    stopSeconds: 60, // a recording that is being written is finished
  },
  {
    ...WORKER,
    name: "billing-worker",
    command: ["node", "dist/worker/billingWorker.js"],
    targets: ["kubernetes"], // a single node has no billing
    optional: STRIPE,
  },
  {
    ...WORKER,
    name: "alert-worker",
    command: ["node", "dist/worker/alertWorker.js"],
    variables: [...WORKER.variables, ...SMTP],
    optional: ["SMTP_PASS"],
  },
  { ...WORKER, name: "retention-worker", command: ["node", "dist/worker/retentionWorker.js"] },
];

/** What a data service may use at most, unless a setting says otherwise. */
export const DATA_RESOURCES: Readonly<Record<Backend, Resources>> = {
  postgres: { memoryMiB: 1024, cpus: 2 },
  redis: { memoryMiB: 512, cpus: 1 },
  storage: { memoryMiB: 512, cpus: 1 },
};

/** Runs once before the services of a release start; what it changes in the database stays. */
export const MIGRATE = {
  name: "migrate",
  image: "migration",
  command: ["drizzle-kit", "migrate"],
  requests: { memoryMiB: 256, cpus: 0.1 },
  resources: { memoryMiB: 512, cpus: 1 },
} as const;

/** The services that run on a target, in the order of the catalogue. */
export function servicesOn(target: Target): readonly Service[] {
  return SERVICES.filter((service) => service.targets.includes(target));
}

/** The limits of a service: what the settings say, else what the catalogue does. */
export function limitsOf(
  override: { memory?: number | undefined; cpus?: number | undefined } | undefined,
  { memoryMiB, cpus }: Resources,
): Resources {
  return { memoryMiB: override?.memory ?? memoryMiB, cpus: override?.cpus ?? cpus };
}
