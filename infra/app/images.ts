import type { ImageName } from "./catalogue.ts";

/** Where the images of the application come from, unless a setting names another place. */
const REPOSITORY = "ghcr.io/rejourneyco/rejourney";

/**
 * The images that are not the application's, by exact tag. The S3 server is the Versity S3 Gateway: maintained,
 * one process, and an object stays a plain file (docs/single-node.md).
 */
export const DATA_IMAGES = {
  postgres: "postgres:18.6",
  redis: "redis:8.4.4",
  storage: "versity/versitygw:v1.8.0",
  traefik: "traefik:v3.5.4",
} as const;

export type Images = Record<ImageName | keyof typeof DATA_IMAGES, string>;

/** The images that a cluster runs: S3 is outside of it, and Traefik comes with it. */
export const CLUSTER_IMAGES = ["api", "web", "migration", "postgres", "redis"] as const;

export const APPLICATION_IMAGES = ["api", "web", "migration"] as const satisfies ImageName[];

/** An image of the application, where no setting replaces it. */
export function applicationImage(name: ImageName, release: string): string {
  return `${REPOSITORY}/${name}:${release}`;
}

/** The image of every part: those of the release, with what the settings replace. */
export function imagesOf(
  release: string,
  replaced: { readonly [name in keyof Images]?: string | undefined },
): Images {
  const application = (name: ImageName) => replaced[name] ?? applicationImage(name, release);
  const data = (name: keyof typeof DATA_IMAGES) => replaced[name] ?? DATA_IMAGES[name];
  return {
    api: application("api"),
    web: application("web"),
    migration: application("migration"),
    postgres: data("postgres"),
    redis: data("redis"),
    storage: data("storage"),
    traefik: data("traefik"),
  };
}
