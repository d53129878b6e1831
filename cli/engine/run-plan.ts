import type { ClusterApi } from "../../infra/cluster/api.ts";
import type { Settings } from "../../infra/settings/load.ts";
import type { ServiceReport } from "../terminal/service-report.ts";
import type { Applied } from "./apply.ts";
import type { Slot } from "./secret-slots.ts";
import type { OpenStack } from "./stack.ts";

/** A deployment that is going to change. Every check has passed that needs no change itself. */
export interface Deployment {
  readonly settings: Settings;
  readonly open: OpenStack;
  /** The API server of a cluster; absent on a single node. */
  readonly api?: ClusterApi;
  /** Gets what the machine still lacks, and makes the checks that need it. Throws Failure, with every service as it was. */
  ready(): Promise<void>;
  /** Brings the deployment to what its settings say. `slots` take the value of their source. */
  apply(slots: readonly Slot[]): Promise<Outcome>;
  /** Prints the outcome; `report` goes into the JSON alone. Throws Failure when a service is unhealthy. */
  settle(outcome: Outcome, report?: object): Promise<void>;
}

/** What a run has done, and how every service does since. */
export interface Outcome {
  applied: Applied;
  services: readonly ServiceReport[];
  /** The services that were brought back beside the engine's run. */
  repaired?: readonly string[];
}
