import type { Service } from "./catalogue.ts";

/** The command that ends with 0 when a service is healthy, run inside its own container. */
export function healthCommand({ health, port }: Pick<Service, "health" | "port">): readonly string[] {
  const script =
    health.kind === "http"
      ? `fetch("http://127.0.0.1:${port}${health.path}").then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`
      : CONNECTED;
  return ["node", "-e", script];
}

// Lines of /proc/net/tcp (Linux) whose remote port is PostgreSQL's or Redis's, in hex, in state 01: established.
const CONNECTED =
  'const fs=require("fs");const c=["/proc/net/tcp","/proc/net/tcp6"].flatMap((f)=>fs.existsSync(f)?fs.readFileSync(f,"utf8").split("\\n"):[]);' +
  "process.exit(c.some((l)=>/:(1538|18EB) 01 /.test(l))?0:1)";
