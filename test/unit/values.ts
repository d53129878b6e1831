import { parseEnvFile } from "../../infra/settings/env.ts";
import {
  type DockerSettings,
  type KubernetesSettings,
  loadDockerSettings,
  loadKubernetesSettings,
} from "../../infra/settings/load.ts";

/** Values that no source would call predictable; each has 64 hex digits. */
export const GOOD = "9f2c47d1a0b35e68c1d27f4ae9038b56d4f10c7e82a95b3617ef0d4c8ba62915";
export const OTHER = "1b7e90c35ad24f8861f3c0d97e2ba45c08d6f1e7934ab25c7d10f8e63b94a5c2";

/** The secrets that nobody makes but their provider or owner. */
export const FROM_OUTSIDE = [
  "SMTP_PASS",
  "GITHUB_CLIENT_SECRET",
  "STRIPE_SECRET_KEY",
  "STRIPE_WEBHOOK_SECRET",
  "TURNSTILE_SECRET_KEY",
  "REGISTRY_TOKEN",
  "ORIGIN_CERTIFICATE",
  "ORIGIN_PRIVATE_KEY",
  "TRAEFIK_DASHBOARD_PASSWORD",
  "CLOUDFLARE_API_TOKEN",
];

/** A zone at Cloudflare. */
export const ZONE = "0123456789abcdef0123456789abcdef";

/** The settings of a single node with these keys in its stack's file and this text in its `.env`. */
export function dockerSettings(config: Record<string, unknown> = {}, env = ""): DockerSettings {
  return loadDockerSettings({
    stack: "selfhosted",
    config: { target: "docker", ...config },
    env: parseEnvFile(env),
  });
}

/** The settings of a cluster with these keys in its stack's file and this text in its `.env`. */
export function kubernetesSettings(config: Record<string, unknown> = {}, env = ""): KubernetesSettings {
  return loadKubernetesSettings({
    stack: "prod",
    config: {
      target: "kubernetes",
      domain: "r.example.com",
      release: "1.4.0",
      acmeEmail: "a@example.com",
      ...config,
    },
    env: parseEnvFile(env),
  });
}
