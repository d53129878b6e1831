import type { Scaling } from "../app/catalogue.ts";
import { type Manifest, namespaced, selectorOf } from "../manifest.ts";

/**
 * Never blocks a drain: where there is one pod, it may go, and so may pods that are not ready. With the node of the
 * database drained none gets ready again, and by default the last of them could then not leave either.
 */
export function disruptionBudget(name: string): Manifest {
  const selector = { matchLabels: selectorOf(name) };
  const spec = { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector };
  return namespaced("policy/v1", "PodDisruptionBudget", name, { spec });
}

/** Puts the pods of a service on different nodes, as long as there are some. */
export function spread(name: string) {
  return {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        // Not DoNotSchedule: with one node left, the pods go there.
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: selectorOf(name) },
        // During a rollout the old pods, which go, do not count.
        matchLabelKeys: ["pod-template-hash"],
      },
    ],
  };
}

/** Up at once, since a queue that grows is noticed; down slowly, since traffic comes in waves. */
export function autoscaler(name: string, { min, max, cpuPercent }: Scaling): Manifest {
  const target = { type: "Utilization", averageUtilization: cpuPercent };
  const spec = {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
    minReplicas: min,
    maxReplicas: max,
    metrics: [{ type: "Resource", resource: { name: "cpu", target } }],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: "Max",
        policies: [
          { type: "Percent", value: 100, periodSeconds: 15 },
          { type: "Pods", value: 2, periodSeconds: 15 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        policies: [{ type: "Percent", value: 50, periodSeconds: 60 }],
      },
    },
  };
  return namespaced("autoscaling/v2", "HorizontalPodAutoscaler", name, { spec });
}
