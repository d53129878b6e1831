import { describe, expect, test } from "vitest";
import { allows, type End } from "../network-policy/evaluate.ts";
import { FLOWS, lineOf } from "../network-policy/flows.ts";
import { OUTSIDE_ADDRESSES, placesOf } from "../network-policy/places.ts";
import { OUTSIDE, rendered, type Rendered } from "../network-policy/rendered.ts";

/** Every port that anything of the cluster listens on, those of the outside, and some that nobody is to reach. */
const PORTS = [
  1, 22, 25, 53, 80, 443, 465, 587, 2379, 3000, 5432, 6379, 6443, 8080, 8089, 8443, 9100, 10250, 65_535,
];

const stack = rendered();
const ends = endsOf(stack);

describe("the rules of the network", () => {
  test("let through what the table says, and nothing else", () => {
    const decided = FLOWS.map((flow) => ({ ...flow, open: decide(stack, flow) }));
    expect(decided.map((flow) => lineOf(flow))).toEqual(FLOWS.map((flow) => lineOf(flow)));
  });

  test.each(stack.policies.map(({ metadata }) => metadata.name))("need %s", (name) => {
    const without = { ...stack, policies: stack.policies.filter(({ metadata }) => metadata.name !== name) };
    expect(FLOWS.filter((flow) => decide(without, flow) !== flow.open)).not.toEqual([]);
  });

  test("the table has every workload, as a source and as a target", () => {
    for (const end of ["source", "target"] as const)
      expect(FLOWS.map((flow) => flow[end])).toEqual(expect.arrayContaining(Object.keys(stack.pods)));
  });

  test("no other port of anything is reached, from the namespace or in it", () => {
    const named = new Set(FLOWS.map((flow) => lineOf(flow, "")));
    const names = Object.keys(ends);
    const own = (name: string) => ends[name]!.pod?.namespace === "rejourney";
    const others = names
      .flatMap((source) => names.map((target) => ({ source, target })))
      .filter(({ source, target }) => source !== target && (own(source) || own(target)))
      .flatMap((pair) => PORTS.map((port) => ({ ...pair, port })))
      .flatMap((flow) => (["TCP", "UDP"] as const).map((protocol) => ({ ...flow, protocol, open: true })))
      .filter((flow) => !named.has(lineOf(flow, "")));
    expect(others.length).toBeGreaterThan(5000);
    expect(others.filter((flow) => decide(stack, flow)).map((flow) => lineOf(flow))).toEqual([]);
  });

  test.each([
    ["443 alone without S3 and mail", "", [443]],
    [
      "the port of the S3",
      OUTSIDE.replace("http://s3.example.com", "https://10.9.9.9:9000").replace(/SMTP.*\n/g, ""),
      [443, 9000],
    ],
    ["the port of the mail server", "SMTP_HOST=mail.example.com\nSMTP_PORT=465", [443, 465]],
  ])("open to the outside: %s", (_, env, expected) => {
    const other = rendered({}, env);
    const open = (target: string) =>
      [25, 80, 443, 465, 587, 5432, 6379, 9000].filter((port) =>
        decide(other, { source: "alert-worker", target, port, protocol: "TCP" }),
      );
    expect(open("internet")).toEqual(expected);
    expect(open("private")).toEqual(expected);
    expect(open("metadata")).toEqual([]);
  });

  test("pods of other namespaces are told from the outside by the cluster's ranges", () => {
    const other = rendered({ clusterRanges: ["10.99.0.0/16"] });
    const flow = { source: "api", target: "other", port: 443, protocol: "TCP" };
    expect([decide(stack, flow), decide(other, flow)]).toEqual([false, true]);
  });

  test("nothing outside is reached over IPv6", () => {
    for (const address of ["2001:db8::1", "fd00:ec2::254"])
      expect(allows(network(stack), ends.api!, { address }, 443)).toBe(false);
  });
});

function decide(of: Rendered, flow: { source: string; target: string; port: number; protocol: string }) {
  const all = endsOf(of);
  return allows(network(of), all[flow.source]!, all[flow.target]!, flow.port, flow.protocol);
}

function network({ policies, namespaceLabels }: Rendered) {
  const named = (name: string) => ({ "kubernetes.io/metadata.name": name });
  return {
    policies,
    namespaces: {
      rejourney: namespaceLabels,
      "kube-system": named("kube-system"),
      // A namespace may call itself as it likes, but not take another's name.
      other: { ...named("other"), name: "kube-system" },
    },
  };
}

function endsOf(of: Rendered): Record<string, End> {
  const dns = { namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
  const pods = Object.entries({ ...placesOf(of), dns }).map(([name, pod], index) => [
    name,
    { address: `10.42.0.${index + 2}`, pod },
  ]);
  const addresses = Object.entries({ ...OUTSIDE_ADDRESSES, node: "10.8.0.1" }).map(([name, address]) => [
    name,
    { address },
  ]);
  return Object.fromEntries([...pods, ...addresses]) as Record<string, End>;
}
