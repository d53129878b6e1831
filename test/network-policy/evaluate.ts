// What NetworkPolicies mean, after the API reference of networking.k8s.io/v1 and nothing of this project.
import { BlockList, isIPv6 } from "node:net";

export interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}
export interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
}
export interface Port {
  /** TCP when absent. */
  protocol?: string;
  /** All when absent. */
  port?: number;
  endPort?: number;
}
export interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: Port[];
}
export interface Policy {
  metadata: { name: string; namespace: string };
  spec: { podSelector: Selector; policyTypes?: string[]; ingress?: Rule[]; egress?: Rule[] };
}

/** One end of a connection; without `pod`, an address that is no pod's. */
export interface End {
  address: string;
  pod?: { namespace: string; labels: Record<string, string> };
}
export interface Network {
  policies: readonly Policy[];
  /** The labels of each namespace. */
  namespaces: Record<string, Record<string, string>>;
}

/** Whether a connection may be opened: the source has to be let out, and the target has to let it in. */
export function allows(network: Network, source: End, target: End, port: number, protocol = "TCP"): boolean {
  const passes = (direction: "Ingress" | "Egress", self: End, peer: End) => {
    const applied = network.policies.filter((policy) => appliesTo(policy, direction, self));
    // A pod that no policy names in a direction is open in it; else any rule of any of them suffices.
    if (applied.length === 0) return true;
    return applied.some(({ metadata, spec }) =>
      ((direction === "Ingress" ? spec.ingress : spec.egress) ?? []).some((rule) => {
        const peers = direction === "Ingress" ? rule.from : rule.to;
        return (
          anyOf(peers, (one) => isPeer(network, metadata.namespace, one, peer)) &&
          anyOf(rule.ports, (one) => isPort(one, port, protocol))
        );
      }),
    );
  };
  return passes("Egress", source, target) && passes("Ingress", target, source);
}

/** The directions that a policy is about: as it says, else Ingress, and Egress when it has rules for it. */
function directionsOf({ spec }: Policy): string[] {
  return spec.policyTypes ?? ["Ingress", ...(spec.egress === undefined ? [] : ["Egress"])];
}

function appliesTo(policy: Policy, direction: string, { pod }: End): boolean {
  return (
    pod?.namespace === policy.metadata.namespace &&
    directionsOf(policy).includes(direction) &&
    selects(policy.spec.podSelector, pod.labels)
  );
}

// A list that is absent or empty leaves everything in.
function anyOf<T>(list: readonly T[] | undefined, test: (one: T) => boolean): boolean {
  return list === undefined || list.length === 0 || list.some(test);
}

function isPeer({ namespaces }: Network, own: string, peer: Peer, { address, pod }: End): boolean {
  if (peer.ipBlock !== undefined) {
    const { cidr, except = [] } = peer.ipBlock;
    return within(cidr, address) && !except.some((range) => within(range, address));
  }
  if (pod === undefined) return false;
  const here =
    peer.namespaceSelector === undefined
      ? pod.namespace === own
      : selects(peer.namespaceSelector, namespaces[pod.namespace]!);
  return here && selects(peer.podSelector ?? {}, pod.labels);
}

function isPort({ protocol = "TCP", port: first, endPort }: Port, port: number, asked: string): boolean {
  if (protocol !== asked) return false;
  return first === undefined || (port >= first && port <= (endPort ?? first));
}

function selects({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Record<string, string>) {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      switch (operator) {
        case "In":
          return value !== undefined && values.includes(value);
        case "NotIn":
          return value === undefined || !values.includes(value);
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          throw new Error(`There is no operator ${operator}`);
      }
    })
  );
}

function within(cidr: string, address: string): boolean {
  const [network, length] = cidr.split("/");
  // An IPv4 address is, to Node, within ranges of IPv6, too.
  if (isIPv6(network!) !== isIPv6(address)) return false;
  const family = isIPv6(address) ? "ipv6" : "ipv4";
  const list = new BlockList();
  list.addSubnet(network!, Number(length), family);
  return list.check(address, family);
}
