// The part of the Compose specification that this project uses. Source: the specification at compose-spec.io.

export interface ComposeHealthcheck {
  test: readonly string[];
  interval: string;
  timeout: string;
  retries: number;
  start_period: string;
}

export interface ComposeService {
  image: string;
  user: string;
  entrypoint?: readonly string[];
  command?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  depends_on?: Readonly<Record<string, { condition: "service_healthy" | "service_completed_successfully" }>>;
  networks?: readonly string[];
  network_mode?: "none";
  ports?: readonly string[];
  volumes?: readonly string[];
  tmpfs: readonly string[];
  read_only: true;
  cap_drop: readonly ["ALL"];
  cap_add?: readonly string[];
  security_opt: readonly ["no-new-privileges=true"];
  mem_limit: string;
  cpus: number;
  pids_limit: number;
  scale?: number;
  shm_size?: string;
  stop_grace_period: string;
  healthcheck?: ComposeHealthcheck;
  restart: "unless-stopped" | "no";
  init?: true;
  logging: { driver: "json-file"; options: { "max-size": string; "max-file": string } };
}

export interface ComposeProject {
  name: string;
  services: Readonly<Record<string, ComposeService>>;
  networks: Readonly<Record<string, { internal?: true }>>;
  volumes: Readonly<Record<string, object>>;
}
