import { publicHosts } from "../app/routes.ts";
import { clusterWide, type Manifest, NAMESPACE, namespaced, SYSTEM_NAMESPACE } from "../manifest.ts";
import type { KubernetesSettings } from "../settings/load.ts";

/** The Secret with the certificate that Cloudflare has signed for itself. */
export const ORIGIN_SECRET = "cloudflare-origin-tls";

const ISSUER = "rejourney-letsencrypt";
/** The directory of Let's Encrypt's own authority. */
const LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory";

/** The Secret that a host's certificate is in. */
export function tlsSecretOf(host: string, settings: KubernetesSettings): string {
  const { tls } = settings;
  if (tls === "cloudflare-origin") return ORIGIN_SECRET;
  if (tls !== "cert-manager") return tls.secret;
  return `${publicHosts(settings).find((one) => one.host === host)!.owner}-tls`;
}

/**
 * What the cert-manager of the cluster is asked for. A certificate for each host, so that one whose DNS record is missing
 * keeps no other from being renewed.
 */
export function certificates(settings: KubernetesSettings): Manifest[] {
  if (settings.tls !== "cert-manager") return [];
  const acme = {
    server: LETS_ENCRYPT,
    email: settings.acmeEmail,
    privateKeySecretRef: { name: `${ISSUER}-account` },
    solvers: [{ http01: { ingress: { ingressClassName: "traefik" } } }],
  };
  return [
    clusterWide("cert-manager.io/v1", "ClusterIssuer", ISSUER, { spec: { acme } }),
    ...publicHosts(settings).map(({ owner, host }) => {
      const name = tlsSecretOf(host, settings);
      const spec = {
        secretName: name,
        dnsNames: [host],
        issuerRef: { group: "cert-manager.io", kind: "ClusterIssuer", name: ISSUER },
        privateKey: { algorithm: "ECDSA", size: 256, rotationPolicy: "Always" },
      };
      const namespace = owner === "traefik" ? SYSTEM_NAMESPACE : NAMESPACE;
      return namespaced("cert-manager.io/v1", "Certificate", name, { spec }, { namespace });
    }),
  ];
}
