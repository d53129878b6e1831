import { servicesOn } from "../app/catalogue.ts";
import { imagesOf } from "../app/images.ts";
import type { DockerSettings } from "../settings/load.ts";
import { applicationService, migrateService } from "./application.ts";
import type { ComposeProject } from "./compose-spec.ts";
import { postgres, prepareVolumes, redis, storage } from "./data.ts";
import { traefik } from "./traefik.ts";

// Compose names the variable and this text when nobody has said which release to run.
const RELEASE = "${REJOURNEY_RELEASE:?is missing, add it to .env: the release of Rejourney to run}";

/**
 * The catalogue and the settings as a Compose project. It holds no secret: each is a reference that Compose
 * resolves.
 */
export function composeProject(settings: DockerSettings): ComposeProject {
  const images = imagesOf(settings.release ?? RELEASE, { ...settings.takenImages, ...settings.images });
  const { builtInStorage, domain } = settings;
  const application = servicesOn("docker").map(
    (service) => [service.name, applicationService(service, settings, images[service.image])] as const,
  );
  const prepare = prepareVolumes(settings, images.traefik);
  return {
    name: settings.projectName,
    services: {
      traefik: traefik(settings, images.traefik),
      ...Object.fromEntries(application),
      migrate: migrateService(settings, images.migration),
      postgres: postgres(settings, images.postgres),
      redis: redis(settings, images.redis),
      ...(builtInStorage && { storage: storage(settings, images.storage) }),
      ...(prepare && { "prepare-volumes": prepare }),
    },
    networks: {
      edge: {}, // what Traefik reaches; its ports are published here
      egress: {}, // workers reach mail servers, web hooks and an external S3 through it
      postgres: { internal: true },
      redis: { internal: true },
      ...(builtInStorage && { storage: { internal: true as const } }),
    },
    volumes: {
      "postgres-data": {},
      "redis-data": {},
      ...(builtInStorage && { "storage-data": {} }),
      ...(domain !== undefined && { "traefik-certificates": {} }),
    },
  };
}
