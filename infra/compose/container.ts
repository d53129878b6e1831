import type { Resources } from "../app/catalogue.ts";
import type { ComposeHealthcheck, ComposeService } from "./compose-spec.ts";

export interface ContainerArgs extends Resources {
  /** `uid:gid`. */
  user: string;
  /** Size of `/tmp` in MiB, the only place besides the volumes that can be written. Default 64. */
  tmpMiB?: number;
}

/** What every container has: no privileges, a read-only root, bounded logs, processes and memory. */
export function confined({ user, memoryMiB, cpus, tmpMiB = 64 }: ContainerArgs) {
  return {
    user,
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges=true"],
    tmpfs: [`/tmp:size=${tmpMiB}m,mode=1777`],
    mem_limit: `${memoryMiB}m`,
    cpus,
    pids_limit: 512,
    logging: { driver: "json-file", options: { "max-size": "10m", "max-file": "3" } },
  } as const satisfies Partial<ComposeService>;
}

/** Healthy once the command ends with 0; unhealthy after half a minute without that, not counting the first minute. */
export function healthcheck(...test: readonly string[]): ComposeHealthcheck {
  return { test, interval: "5s", timeout: "5s", retries: 6, start_period: "60s" };
}
