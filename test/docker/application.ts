import { createCipheriv, randomBytes } from "node:crypto";
import { execa } from "execa";
import type { Images } from "../../infra/app/images.ts";
import { madeImages } from "../../tools/images/images.ts";
import { docker, eventually, removeAll, testName } from "./host.ts";
import type { S3Access } from "./s3.ts";

const CONFINED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp"];
const secret = () => randomBytes(32).toString("hex");

/** One S3 server for the S3_* variables, another for the rows of storage_endpoints, each with keys of its own. */
const STORAGES = {
  virtual: { buckets: ["virtual"], accessKeyId: "of-the-variables", secretAccessKey: secret() },
  endpoints: {
    buckets: ["global", "own", "low", "high", "copy-own", "copy-global", "idle"],
    accessKeyId: "of-the-rows",
    secretAccessKey: secret(),
  },
};
/** Every bucket, by its server. */
export const BUCKETS = Object.entries(STORAGES).flatMap(([storage, { buckets }]) =>
  buckets.map((bucket) => ({ storage: storage as keyof typeof STORAGES, bucket })),
);

export interface Ended {
  status: number;
  output: string;
}

/** What a container of the application is started with, beyond its image. */
export interface Start {
  image?: "api" | "web" | "migration";
  command?: readonly string[];
  /** Port to reach from this machine. */
  port?: number;
  /** Other values for variables. */
  env?: Readonly<Record<string, string>>;
}

/**
 * The application in containers, with a database, a queue and two S3 servers, on a network of its own. Its images are
 * the sample's; CONFORMANCE_API_IMAGE, CONFORMANCE_WEB_IMAGE and CONFORMANCE_MIGRATION_IMAGE put others in their place.
 */
export class Application {
  readonly env: Readonly<Record<string, string>>;
  apiUrl = "";
  webUrl = "";
  /** Both S3 servers, as they are reached from this machine. */
  readonly s3 = {} as Record<keyof typeof STORAGES, S3Access>;
  readonly #name = testName();
  readonly #images: Images;
  readonly #passwords = { POSTGRES_PASSWORD: secret(), REDIS_PASSWORD: secret() };
  #count = 0;

  private constructor(images: Images) {
    this.#images = images;
    const { POSTGRES_PASSWORD, REDIS_PASSWORD } = this.#passwords;
    this.env = {
      DATABASE_URL: `postgresql://rejourney:${POSTGRES_PASSWORD}@postgres:5432/rejourney`,
      REDIS_URL: `redis://:${REDIS_PASSWORD}@redis:6379/0`,
      S3_ENDPOINT: "http://virtual:7070",
      S3_PUBLIC_ENDPOINT: "http://virtual:7070",
      S3_BUCKET: "virtual",
      S3_REGION: "us-east-1",
      S3_ACCESS_KEY_ID: STORAGES.virtual.accessKeyId,
      S3_SECRET_ACCESS_KEY: STORAGES.virtual.secretAccessKey,
      JWT_SECRET: secret(),
      JWT_SIGNING_KEY: secret(),
      INGEST_HMAC_SECRET: secret(),
      STORAGE_ENCRYPTION_KEY: secret(),
      SELF_HOSTED_MODE: "true",
    };
  }

  /** All of it, migrated and healthy. */
  static async start(): Promise<Application> {
    const made = await madeImages(() => {});
    const { CONFORMANCE_API_IMAGE, CONFORMANCE_WEB_IMAGE, CONFORMANCE_MIGRATION_IMAGE } = process.env;
    const application = new Application({
      ...made,
      api: CONFORMANCE_API_IMAGE ?? made.api,
      web: CONFORMANCE_WEB_IMAGE ?? made.web,
      migration: CONFORMANCE_MIGRATION_IMAGE ?? made.migration,
    });
    try {
      await application.#start();
    } catch (error) {
      await application.stop();
      throw error;
    }
    return application;
  }

  async #start(): Promise<void> {
    const { postgres, redis } = this.#images;
    await docker(["network", "create", this.#name]);
    const database = ["-e=POSTGRES_USER=rejourney", "-e=POSTGRES_DB=rejourney", "-e=POSTGRES_PASSWORD"];
    const password = `exec redis-server --requirepass "$REDIS_PASSWORD"`;
    await this.#data("postgres", ["--tmpfs=/var/run/postgresql", ...database, postgres]);
    await this.#data("redis", ["-e=REDIS_PASSWORD", "--entrypoint=sh", redis, "-c", password]);
    for (const name of ["virtual", "endpoints"] as const) await this.#storage(name);
    await eventually(60, () => this.sql("SELECT 1"));
    await this.migrate();
    this.apiUrl = await this.address(await this.run({ port: 3000 }), 3000);
    this.webUrl = await this.address(await this.run({ image: "web", port: 8080 }), 8080);
    await this.run({ command: ["node", "dist/worker/ingestWorker.js"] });
    for (const url of [`${this.apiUrl}/health`, this.webUrl])
      await eventually(30, async () => {
        const { status } = await fetch(url);
        if (status !== 200) throw new Error(`${url} answers ${status}`);
      });
  }

  #data(name: string, args: readonly string[], env: NodeJS.ProcessEnv = this.#passwords): Promise<string> {
    const options = [`--name=${this.#name}-${name}`, `--network=${this.#name}`, `--network-alias=${name}`];
    return docker(["run", "--detach", ...options, ...args], env);
  }

  async #storage(name: keyof typeof STORAGES): Promise<void> {
    const { buckets, accessKeyId, secretAccessKey } = STORAGES[name];
    const serve = `cd /tmp && mkdir ${buckets.join(" ")} && exec versitygw --port :7070 --health /health posix /tmp`;
    const options = [
      "--tmpfs=/tmp",
      "-p=127.0.0.1::7070",
      "--entrypoint=sh",
      "-e=ROOT_ACCESS_KEY",
      "-e=ROOT_SECRET_KEY",
    ];
    const env = { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey };
    const id = await this.#data(name, [...options, this.#images.storage, "-c", serve], env);
    const url = await this.address(id, 7070);
    this.s3[name] = { url, accessKeyId, secretAccessKey };
    await eventually(20, () => fetch(`${url}/health`));
  }

  /** Starts a confined container of the application, with the variables of the contract; its id. */
  run({ image = "api", command = [], port, env = {} }: Start): Promise<string> {
    const values = { ...this.env, ...env };
    const options = [
      ...[`--name=${this.#name}-${image}-${++this.#count}`, `--network=${this.#name}`, ...CONFINED],
      ...(port === undefined ? [] : [`-p=127.0.0.1::${port}`]),
      ...Object.keys(values).map((name) => `-e=${name}`),
    ];
    return docker(["run", "--detach", ...options, this.#images[image], ...command], values);
  }

  /** The migration, as every release runs it first. */
  async migrate(env: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.ended(await this.run({ image: "migration", command: ["drizzle-kit", "migrate"], env }));
  }

  /** Waits for a container to end. */
  async ended(id: string): Promise<Ended> {
    const status = Number((await execa("docker", ["wait", id], { timeout: 60_000 })).stdout);
    return { status, output: (await execa("docker", ["logs", id], { all: true })).all };
  }

  /** Runs SQL in the database: a line a row, columns apart by `|`. */
  sql(statement: string): Promise<string> {
    const psql = ["psql", "-U", "rejourney", "-d", "rejourney", "-Atq", "-v", "ON_ERROR_STOP=1"];
    return docker(["exec", "--interactive", `${this.#name}-postgres`, ...psql], {}, statement);
  }

  /** Where a port of a container is reached from this machine. */
  async address(id: string, port: number): Promise<string> {
    return `http://${(await docker(["port", id, `${port}/tcp`])).split("\n")[0]}`;
  }

  /** The S3 key of the rows as key_ref: base64(iv):base64(tag):base64(ciphertext), AES-256-GCM, 12-byte IV. */
  keyRef(): string {
    const iv = randomBytes(12);
    const cipher = createCipheriv("aes-256-gcm", Buffer.from(this.env.STORAGE_ENCRYPTION_KEY!, "hex"), iv);
    const ciphertext = Buffer.concat([cipher.update(STORAGES.endpoints.secretAccessKey), cipher.final()]);
    return [iv, cipher.getAuthTag(), ciphertext].map((part) => part.toString("base64")).join(":");
  }

  stop(): Promise<void> {
    return removeAll(this.#name);
  }
}
