import type { Rendered } from "./rendered.ts";

/** A pod of the table of flows: where it is and by what labels it is known. */
export interface Place {
  namespace: string;
  labels: Record<string, string>;
}

/** Pods of the table that are no workload of the application. */
const OTHERS: Record<string, Place> = {
  // As cert-manager labels the pod that answers a challenge.
  challenge: { namespace: "rejourney", labels: { "acme.cert-manager.io/http01-solver": "true" } },
  // Labels of another part do not make it one of ours.
  stranger: { namespace: "rejourney", labels: { "app.kubernetes.io/name": "stranger" } },
  traefik: { namespace: "kube-system", labels: { "app.kubernetes.io/name": "traefik" } },
  system: { namespace: "kube-system", labels: { "app.kubernetes.io/name": "system" } },
  // The labels of an api, but in another namespace.
  other: {
    namespace: "other",
    labels: {
      "app.kubernetes.io/name": "api",
      "app.kubernetes.io/part-of": "rejourney",
      "rejourney.co/reaches-postgres": "true",
      "rejourney.co/reaches-redis": "true",
      "rejourney.co/reaches-storage": "true",
    },
  },
};

/** Every pod of the table by its name in it, but for the DNS. */
export function placesOf({ pods }: Rendered): Record<string, Place> {
  const own = Object.entries(pods).map(([name, labels]) => [name, { namespace: "rejourney", labels }]);
  return { ...(Object.fromEntries(own) as Record<string, Place>), ...OTHERS };
}

/** Addresses of the table that are no pod's: from ranges for examples, of an own network, of clouds. */
export const OUTSIDE_ADDRESSES = {
  internet: "203.0.113.1",
  private: "10.9.9.9",
  metadata: "169.254.169.254",
};
