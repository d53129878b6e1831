import type { DockerSettings } from "../settings/load.ts";
import type { ComposeService } from "./compose-spec.ts";
import { confined, healthcheck } from "./container.ts";
import { escapeDollar } from "./references.ts";
import { routes } from "./routes.ts";
import { yamlText } from "../yaml.ts";

/**
 * The only published service. Its routes come from a file that it writes from its own environment, so neither
 * the Docker socket nor a file on the host is needed, and a remote Docker host works alike.
 */
export function traefik(settings: DockerSettings, image: string): ComposeService {
  const { domain, httpPort, httpsPort } = settings;
  const flags = [
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
    "--log.level=INFO",
    "--log.nocolor=true",
    "--ping=true",
    "--providers.file.filename=/tmp/routes.yml",
    "--entrypoints.http.address=:8000",
    ...(domain === undefined ? [] : secureFlags(settings)),
  ];
  return {
    image,
    entrypoint: ["/bin/sh", "-ec"],
    command: [`printf '%s' "$$TRAEFIK_ROUTES" > /tmp/routes.yml\nexec traefik ${flags.join(" ")}\n`],
    environment: { TRAEFIK_ROUTES: escapeDollar(yamlText(routes(settings))) },
    ...(domain !== undefined && {
      depends_on: { "prepare-volumes": { condition: "service_completed_successfully" as const } },
      volumes: ["traefik-certificates:/certificates"],
    }),
    networks: ["edge"],
    // Without TLS, passwords and recordings would cross the network in plain text: this machine alone.
    ports: domain === undefined ? [`127.0.0.1:${httpPort}:8000`] : [`${httpPort}:8000`, `${httpsPort}:8443`],
    ...confined({ user: "65532:65532", memoryMiB: 256, cpus: 1, tmpMiB: 16 }),
    stop_grace_period: "30s",
    healthcheck: healthcheck("CMD", "traefik", "healthcheck", "--ping=true"),
    restart: "unless-stopped",
  };
}

function secureFlags({ acmeEmail, httpsPort }: DockerSettings): string[] {
  return [
    `--entrypoints.http.http.redirections.entrypoint.to=:${httpsPort}`,
    "--entrypoints.http.http.redirections.entrypoint.scheme=https",
    "--entrypoints.https.address=:8443",
    "--entrypoints.https.http.tls.certresolver=letsencrypt",
    `--certificatesresolvers.letsencrypt.acme.email=${acmeEmail}`,
    "--certificatesresolvers.letsencrypt.acme.storage=/certificates/acme.json",
    "--certificatesresolvers.letsencrypt.acme.httpchallenge.entrypoint=http",
  ];
}
