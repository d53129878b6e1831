import { command } from "../../infra/settings/command.ts";
import { Failure } from "./output.ts";

/** How a service does on its host. */
export interface ServiceReport {
  service: string;
  /** The health of its containers, or their state where that says more; `missing` without one. */
  status: string;
  image: string;
  /** How often Docker has started its containers again. */
  restarts: number;
  /** What is not as the stack says; empty when all is well. */
  trouble: string;
}

/** The report as lines for people. */
export function table(services: readonly ServiceReport[]): string {
  const width = Math.max(...services.map(({ service }) => service.length));
  const rows = services.map(({ service, status, restarts, trouble }) => [
    service.padEnd(width),
    trouble === "" ? status : `! ${trouble}`,
    ...(restarts === 0 ? [] : [`(restarted ${restarts === 1 ? "once" : `${restarts} times`})`]),
  ]);
  return rows.map((row) => `  ${row.join("  ")}\n`).join("");
}

/** Whether every service is as the stack says. */
export function areWell(services: readonly ServiceReport[]): boolean {
  return services.every(({ trouble }) => trouble === "");
}

/** Throws Failure, with what fixes it, when a service is not as the stack says. `tells` is the command that tells why. */
export function needAllWell(
  services: readonly ServiceReport[],
  { stack, tells }: { stack: string; tells: (service: string) => string },
): void {
  if (areWell(services)) return;
  const unhealthy = services.filter(({ trouble }) => trouble !== "");
  throw new Failure(
    `${unhealthy.length} of ${services.length} services are unhealthy.\n` +
      `  Fix: ${command(stack, "up")} restores what is missing; ${tells(unhealthy[0]!.service)} shows why a service is unhealthy`,
  );
}
