import { execa } from "execa";

/** The name of the resource that keeps the id of the Docker Engine which a stack is on; empty before its first `up`. */
export const HOST_RECORD = "rejourney-docker-host";

/** The id of the Docker Engine that `docker` speaks to, which it keeps with its data. */
export async function engineId(): Promise<string> {
  return (await execa("docker", ["info", "--format={{.ID}}"])).stdout;
}
