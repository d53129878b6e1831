import { limitsOf, MIGRATE, type Service } from "../app/catalogue.ts";
import { connectionUrls } from "../app/connections.ts";
import { healthCommand } from "../app/health.ts";
import type { DockerSettings } from "../settings/load.ts";
import type { ComposeService } from "./compose-spec.ts";
import { confined, healthcheck } from "./container.ts";
import { escapeDollar, optionalReference, secretReference, variableReference } from "./references.ts";

/** The user of the application's images. */
const APP_USER = "1000:1000";

/** A service of the catalogue as a Compose service. */
export function applicationService(
  service: Service,
  settings: DockerSettings,
  image: string,
): ComposeService {
  const override = settings.services[service.name];
  const needs = service.needs.filter((need) => need !== "storage" || settings.builtInStorage);
  const command = override?.command ?? service.command;
  return {
    image,
    ...(command && { command: command.map(escapeDollar) }),
    environment: environmentOf(service, settings),
    ...(needs.length > 0 && {
      depends_on: {
        ...Object.fromEntries(needs.map((need) => [need, { condition: "service_healthy" as const }])),
        ...(needs.includes("postgres") && {
          [MIGRATE.name]: { condition: "service_completed_successfully" as const },
        }),
      },
    }),
    // Each data service has a network of its own name, so that only who needs it reaches it.
    networks: [service.port === undefined ? "egress" : "edge", ...needs],
    ...confined({ user: APP_USER, ...limitsOf(override, service.resources) }),
    ...(override?.replicas !== undefined && { scale: override.replicas }),
    init: true,
    stop_grace_period: `${service.stopSeconds}s`,
    healthcheck: {
      ...healthcheck("CMD", ...healthCommand(service)),
      ...(override?.startSeconds !== undefined && { start_period: `${override.startSeconds}s` }),
    },
    restart: "unless-stopped",
  };
}

/** The one-shot migration of a release. */
export function migrateService(settings: DockerSettings, image: string): ComposeService {
  return {
    image,
    command: (settings.migrateCommand ?? MIGRATE.command).map(escapeDollar),
    environment: { NODE_ENV: "production", DATABASE_URL: connectionStrings(settings).DATABASE_URL },
    depends_on: { postgres: { condition: "service_healthy" } },
    networks: ["postgres"],
    ...confined({ user: APP_USER, ...MIGRATE.resources }),
    init: true,
    stop_grace_period: "60s",
    restart: "no",
  };
}

function environmentOf(service: Service, settings: DockerSettings): Record<string, string> {
  const connections = connectionStrings(settings);
  const { variables } = settings;
  const each = <K extends string>(names: readonly K[], value: (name: K) => string) =>
    Object.fromEntries(names.map((name) => [name, value(name)]));
  return {
    NODE_ENV: "production",
    ...(service.port !== undefined && { PORT: String(service.port) }),
    ...service.fixed,
    ...each(service.variables, (name) => variableReference(name, variables[name])),
    ...each(service.derived, (name) => connections[name]),
    ...each(service.secrets, secretReference),
    ...each(service.optional ?? [], (name) =>
      name in variables
        ? variableReference(name as keyof typeof variables, variables[name as keyof typeof variables])
        : optionalReference(name),
    ),
  };
}

// A password with characters that have a meaning in a URL is handed over in an encoded DATABASE_URL or REDIS_URL.
function connectionStrings({ variables }: DockerSettings) {
  const urls = connectionUrls({
    user: variableReference("POSTGRES_USER", variables.POSTGRES_USER),
    password: secretReference("POSTGRES_PASSWORD"),
    database: variableReference("POSTGRES_DB", variables.POSTGRES_DB),
    redisPassword: secretReference("REDIS_PASSWORD"),
  });
  return {
    DATABASE_URL: `\${DATABASE_URL:-${urls.DATABASE_URL}}`,
    REDIS_URL: `\${REDIS_URL:-${urls.REDIS_URL}}`,
  };
}
