/** Every deliberate exception to kube-score's checks. Anything else that it finds is a fault. */
const EXCEPTIONS: readonly { check: string; object?: string; reason: string }[] = [
  {
    check: "container-security-context-user-group-id",
    reason: "The images fix their users: 1000 in the application's, 999 in those of PostgreSQL and Redis.",
  },
  {
    check: "container-image-pull-policy",
    reason: "Tags and digests are exact, and no restart of a pod may depend on a registry that is away.",
  },
  {
    check: "deployment-has-host-podantiaffinity",
    reason: "A topology spread does the same, and does not count the pods that a rollout is about to remove.",
  },
  {
    check: "networkpolicy-targets-pod",
    object: "NetworkPolicy/networking.k8s.io/v1/rejourney/challenge-in",
    reason: "Its pod is cert-manager's, and there only while Let's Encrypt is answered.",
  },
];

/** Whether a check's findings on an object are deliberate. */
export function isExcepted(check: string, object: string): boolean {
  return EXCEPTIONS.some(
    (exception) => exception.check === check && [undefined, object].includes(exception.object),
  );
}
