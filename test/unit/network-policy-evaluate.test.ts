// The helper that says what policies mean, by the cases that Kubernetes documents.
import { describe, expect, test } from "vitest";
import { allows, type End, type Policy, type Selector } from "../network-policy/evaluate.ts";

const pod = (app: string, namespace = "own"): End => ({
  address: "10.42.0.9",
  pod: { namespace, labels: { app } },
});
const outside: End = { address: "203.0.113.1" };

const namespaces = { own: { team: "a" }, near: { team: "a" }, far: { team: "b" } };
/** Whether one policy, on the pods `app: db` or all of the namespace, lets a connection through. */
function decide(spec: Partial<Policy["spec"]>, from: End, to: End, port = 1000, protocol = "TCP"): boolean {
  const podSelector = { matchLabels: { app: "db" } };
  const policy = { metadata: { name: "one", namespace: "own" }, spec: { podSelector, ...spec } };
  return allows({ policies: [policy], namespaces }, from, to, port, protocol);
}

describe("a policy", () => {
  const nothing = { ingress: [] };

  test("confines the pods that it selects, and no others", () => {
    expect(decide(nothing, pod("web"), pod("db"))).toBe(false);
    expect(decide(nothing, pod("web"), pod("api"))).toBe(true);
    expect(decide(nothing, pod("web"), pod("db", "near"))).toBe(true);
    expect(decide({ podSelector: {}, ...nothing }, outside, pod("api"))).toBe(false);
  });

  test("is about what its types say, else about ingress, and egress where it has such rules", () => {
    const out = (spec: Partial<Policy["spec"]>) => decide(spec, pod("db"), outside);
    const into = (spec: Partial<Policy["spec"]>) => decide(spec, outside, pod("db"));
    expect([into({}), out({})]).toEqual([false, true]);
    expect([into({ egress: [] }), out({ egress: [] })]).toEqual([false, false]);
    expect([into({ policyTypes: ["Egress"] }), out({ policyTypes: ["Egress"] })]).toEqual([true, false]);
  });

  test("adds to others; both ends have to agree", () => {
    const spec = (app: string) => ({ podSelector: { matchLabels: { app } } });
    const policies: Policy[] = [
      { metadata: { name: "out", namespace: "own" }, spec: { ...spec("web"), policyTypes: ["Egress"] } },
      { metadata: { name: "in", namespace: "own" }, spec: { ...spec("db"), ingress: [{}] } },
    ];
    const web = (list: Policy[]) => allows({ policies: list, namespaces }, pod("web"), pod("db"), 1000);
    expect(web(policies)).toBe(false);
    const more = { ...policies[0]!, spec: { ...spec("web"), policyTypes: ["Egress"], egress: [{}] } };
    expect(web([...policies, more])).toBe(true);
  });
});

describe("a peer", () => {
  const from = (...peers: object[]) => ({ ingress: [{ from: peers }] });
  const team = (value: string) => ({ namespaceSelector: { matchLabels: { team: value } } });
  const app = (value: string) => ({ podSelector: { matchLabels: { app: value } } });

  test.each([
    ["a pod of the same namespace", from(app("web")), pod("web"), true],
    ["such a pod elsewhere", from(app("web")), pod("web", "near"), false],
    ["any pod of a namespace", from(team("b")), pod("x", "far"), true],
    ["both selectors in one peer", from({ ...team("a"), ...app("web") }), pod("db", "near"), false],
    ["the selectors in two peers", from(team("a"), app("web")), pod("db", "near"), true],
    ["an address, as a pod", from({ namespaceSelector: {} }), outside, false],
    ["an address in a range", from({ ipBlock: { cidr: "203.0.113.0/24" } }), outside, true],
    [
      "one excepted",
      from({ ipBlock: { cidr: "203.0.113.0/24", except: ["203.0.113.0/31"] } }),
      outside,
      false,
    ],
    ["one of the other family", from({ ipBlock: { cidr: "::/0" } }), outside, false],
    ["no list at all", { ingress: [{}] }, outside, true],
  ])("%s", (_, spec, source, open) => {
    expect(decide(spec, source, pod("db"))).toBe(open);
  });

  test.each([
    ["In", "web", true],
    ["In", "api", false],
    ["NotIn", "web", false],
    ["NotIn", "api", true],
    ["Exists", "api", true],
    ["DoesNotExist", "api", false],
  ])("by an expression: %s, for %s", (operator, label, open) => {
    const values = operator.endsWith("In") ? { values: ["web"] } : {};
    const podSelector: Selector = { matchExpressions: [{ key: "app", operator, ...values }] };
    expect(decide(from({ podSelector }), pod(label), pod("db"))).toBe(open);
  });
});

test.each([
  [{ port: 1000 }, "TCP", true],
  [{ port: 1001 }, "TCP", false],
  [{ port: 1000 }, "UDP", false],
  [{ protocol: "UDP", port: 1000 }, "UDP", true],
  [{ port: 900, endPort: 1000 }, "TCP", true],
  [{ port: 900, endPort: 999 }, "TCP", false],
  [{ protocol: "TCP" }, "TCP", true],
])("a port: %j for %s", (port, protocol, open) => {
  expect(decide({ ingress: [{ ports: [port] }] }, outside, pod("db"), 1000, protocol)).toBe(open);
});
