import { servicesOn } from "../app/catalogue.ts";
import type { KubernetesSettings } from "../settings/load.ts";
import { DATA_LABEL, type DataService, ownDataServices } from "./data.ts";
import { type Manifest, namespaced, selectorOf, SYSTEM_NAMESPACE } from "../manifest.ts";

/** Nothing may talk to anything, but for the flows that exist. */
export function networkPolicies(settings: KubernetesSettings): Manifest[] {
  const own = ownDataServices(settings);
  return [
    policy("default-deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }),
    // PostgreSQL and Redis ask nobody, and names that are looked up carry data out as well.
    egress("dns", { matchExpressions: [{ key: DATA_LABEL, operator: "DoesNotExist" }] }, DNS, [
      { protocol: "UDP", port: 53 },
      ...tcp(53),
    ]),
    ...(["postgres", "redis"] as const).flatMap((name) => {
      const port = settings.addresses[name].port;
      return own.includes(name)
        ? inside(name, port)
        : [egress(`${name}-out`, reaches(name), ANYWHERE, tcp(port))];
    }),
    ...servicesOn("kubernetes").flatMap(({ name, port }) =>
      port === undefined ? [] : [ingress(`${name}-in`, podsOf(name), callersOf(name), tcp(port))],
    ),
    // The pod by which cert-manager answers Let's Encrypt; it stands in this namespace for as long as that takes.
    ...(settings.tls === "cert-manager" ? [ingress("challenge-in", CHALLENGE, [TRAEFIK], tcp(8089))] : []),
    egress("web-to-api", podsOf("web"), [{ podSelector: podsOf("api") }], tcp(3000)),
    // S3, mail and web hooks are outside. Which buckets, only the database knows, so only the ports are known here.
    egress("outside", reaches("storage"), outside(settings), tcp(...outsidePorts(settings))),
  ];
}

const podsOf = (name: string) => ({ matchLabels: selectorOf(name) });
const reaches = (backend: string) => ({ matchLabels: { [`rejourney.co/reaches-${backend}`]: "true" } });
const tcp = (...ports: number[]) => ports.map((port) => ({ protocol: "TCP", port }));

/** Pods of kube-system, which holds more than these. */
const inKubeSystem = (labels: Record<string, string>) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": SYSTEM_NAMESPACE } },
  podSelector: { matchLabels: labels },
});
const DNS = [inKubeSystem({ "k8s-app": "kube-dns" })];
const CHALLENGE = { matchLabels: { "acme.cert-manager.io/http01-solver": "true" } };
const TRAEFIK = inKubeSystem({ "app.kubernetes.io/name": "traefik" });

// An external data service may have a name for an address, which no policy knows; only its port is sure.
const ANYWHERE = [{ ipBlock: { cidr: "0.0.0.0/0" } }];
// An S3 may stand in a private network. At a link-local address there is none, but a cloud's keys to the machine.
const outside = ({ clusterRanges }: KubernetesSettings) => [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16", ...clusterRanges] } },
];

/** A data service in the namespace, and who reaches it. */
function inside(name: DataService, port: number): Manifest[] {
  return [
    ingress(`${name}-in`, podsOf(name), [{ podSelector: reaches(name) }], tcp(port)),
    egress(`${name}-out`, reaches(name), [{ podSelector: podsOf(name) }], tcp(port)),
  ];
}

// The dashboard hands requests of the browser on to the API.
function callersOf(name: string): object[] {
  return name === "api" ? [TRAEFIK, { podSelector: podsOf("web") }] : [TRAEFIK];
}

function ingress(name: string, podSelector: object, from: object[], ports: object[]): Manifest {
  return policy(name, { podSelector, policyTypes: ["Ingress"], ingress: [{ from, ports }] });
}

function egress(name: string, podSelector: object, to: object[], ports: object[]): Manifest {
  return policy(name, { podSelector, policyTypes: ["Egress"], egress: [{ to, ports }] });
}

function policy(name: string, spec: Record<string, unknown>): Manifest {
  return namespaced("networking.k8s.io/v1", "NetworkPolicy", name, { spec });
}

function outsidePorts({ variables }: KubernetesSettings): number[] {
  const ports = new Set([443]);
  if (variables.S3_ENDPOINT !== "") {
    const { port, protocol } = new URL(variables.S3_ENDPOINT);
    ports.add(Number(port) || (protocol === "https:" ? 443 : 80));
  }
  if (variables.SMTP_HOST !== "") ports.add(Number(variables.SMTP_PORT));
  return [...ports].sort((a, b) => a - b);
}
