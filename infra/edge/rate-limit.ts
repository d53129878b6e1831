import type { KubernetesSettings } from "../settings/load.ts";

/** What a Middleware says to let a client ask so many times a second, and twice as many at once. */
export function rateLimit(rate: number, { cloudflare }: KubernetesSettings) {
  const ipStrategy = {
    // Behind Cloudflare the client is the last of those that are told; from anybody else Traefik takes no such word.
    ...(cloudflare?.proxied && { depth: 1 }),
    // A home has a /64 of addresses.
    ipv6Subnet: 64,
  };
  return { rateLimit: { average: rate, burst: 2 * rate, sourceCriterion: { ipStrategy } } };
}
