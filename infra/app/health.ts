import type { Service } from "./catalogue.ts";
import { OWN_DATA } from "./connections.ts";

/** The command that ends with 0 when a service is healthy, run inside its own container. */
export function healthCommand(
  { health, port }: Pick<Service, "health" | "port">,
  { postgres, redis } = OWN_DATA,
): readonly string[] {
  const script =
    health.kind === "http"
      ? `fetch("http://127.0.0.1:${port}${health.path}").then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`
      : connected(`:(${hex(postgres.port)}|${hex(redis.port)}) 01 `);
  return ["node", "-e", script];
}

/** The command that ends with 0 while a worker holds any connection at all; one that has none for long is stuck. */
export const ALIVE_COMMAND: readonly string[] = ["node", "-e", connected(" 01 ")];

// Lines of /proc/net/tcp (Linux): remote address and port in hex, then the state; 01 is an established connection.
function connected(pattern: string): string {
  return (
    'const fs=require("fs");const c=["/proc/net/tcp","/proc/net/tcp6"].flatMap((f)=>fs.existsSync(f)?fs.readFileSync(f,"utf8").split("\\n"):[]);' +
    `process.exit(c.some((l)=>/${pattern}/.test(l))?0:1)`
  );
}

function hex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, "0");
}
