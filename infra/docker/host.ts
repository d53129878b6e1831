import { execa } from "execa";

/** The name of the resource that keeps which Docker host a stack is on. */
export const HOST_RECORD = "rejourney-docker-host";

/** Which Docker host a stack is on. It is on record before anything is made there. */
export interface DockerHost {
  /** The id of its Docker Engine, which that keeps with its data. */
  engine: string;
  /** The name of the Compose project. */
  project: string;
  /** True once an `up` has ended well, so that there is a database. */
  hasData?: true;
}

/** The id of the Docker Engine that `docker` speaks to. */
export async function engineId(): Promise<string> {
  return (await execa("docker", ["info", "--format={{.ID}}"])).stdout;
}
