import { type Manifest, namespaced, SYSTEM_NAMESPACE } from "../manifest.ts";
import { yamlText } from "../yaml.ts";

/** Where Cloudflare's proxies ask from. Source: www.cloudflare.com/ips, of 2023-09-28. */
const CLOUDFLARE = [
  ...["173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18"],
  ...["108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17"],
  ...["162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"],
  ...["2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32"],
  ...["2a06:98c0::/29", "2c0f:f248::/32"],
];

/** What is said of an entry point. */
function entryPoint(name: "web" | "websecure"): string[] {
  const flags = {
    // They may say for whom they ask; what anybody else says of that is thrown away.
    "forwardedHeaders.trustedIPs": CLOUDFLARE.join(","),
    // After SIGTERM it still takes requests for a while: those who send them learn of its end some time later.
    "transport.lifeCycle.requestAcceptGraceTimeout": "10s",
    "transport.lifeCycle.graceTimeOut": "30s",
    // A recording over a slow line takes its time.
    "transport.respondingTimeouts.readTimeout": "300s",
  };
  return Object.entries(flags).map(([flag, value]) => `--entryPoints.${name}.${flag}=${value}`);
}

const POD = { "app.kubernetes.io/name": "traefik" };
/** By this label K3s limits to some nodes what takes requests from outside; where none has it, all do. */
const TAKES_REQUESTS = { key: "svccontroller.k3s.cattle.io/enablelb", operator: "In", values: ["true"] };

/**
 * Values of the chart of Traefik that K3s brings. What Traefik takes as a flag is given as one: the chart has renamed its
 * own values between releases of K3s, and Traefik has not.
 */
const VALUES = {
  additionalArguments: [
    ...entryPoint("web"),
    ...entryPoint("websecure"),
    "--accesslog=true",
    "--accesslog.format=json",
  ],
  deployment: { replicas: 2 },
  podDisruptionBudget: { enabled: true, maxUnavailable: 1 },
  updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "kubernetes.io/hostname",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: { matchLabels: POD },
    },
  ],
  affinity: {
    nodeAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 100, preference: { matchExpressions: [TAKES_REQUESTS] } },
      ],
    },
  },
  // The address of the client is kept, by which requests are limited; a node without Traefik then takes none.
  service: { spec: { externalTrafficPolicy: "Local" } },
  resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "512Mi" } },
};

/** What K3s's helm-controller adds to its own Traefik. One of this name per cluster. */
export function traefikConfig(): Manifest {
  const spec = { valuesContent: yamlText(VALUES) };
  return namespaced(
    "helm.cattle.io/v1",
    "HelmChartConfig",
    "traefik",
    { spec },
    { namespace: SYSTEM_NAMESPACE },
  );
}
