import { clusterWide, type Manifest } from "../manifest.ts";

/** The PriorityClasses of the pods. */
export const PRIORITY = {
  data: "rejourney-data",
  serving: "rejourney-serving",
  worker: "rejourney-worker",
} as const;

/** Which pods go first when a node is full. */
export function priorityClasses(): Manifest[] {
  const priority = (name: string, value: number, description: string) =>
    clusterWide("scheduling.k8s.io/v1", "PriorityClass", name, { value, description, globalDefault: false });
  return [
    priority(PRIORITY.data, 1_000_000, "PostgreSQL and Redis: everything else waits for them."),
    priority(PRIORITY.serving, 100_000, "What answers requests, and the migration that they wait for."),
    priority(PRIORITY.worker, 10_000, "What works through queues and can wait."),
  ];
}
