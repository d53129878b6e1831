import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { dataUrls, virtualEndpoint } from "./config.js";
import { connectPostgres, connectRedis, logError } from "./connections.js";
import { Endpoints } from "./endpoints.js";
import { getObject, putObject } from "./objects.js";
import { closeServer, onShutdown } from "./shutdown.js";

const MAX_BODY = 64 * 1024 * 1024;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function readBody(request, limit) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > limit) throw new HttpError(413, "body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function sendJson(response, status, value) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}

/** The routes of the API, over its connections. */
class Api {
  constructor(pool, redis, endpoints) {
    this.pool = pool;
    this.redis = redis;
    this.endpoints = endpoints;
  }

  async handle(request, response) {
    const { pathname } = new URL(request.url, "http://api");
    if (pathname === "/health") return this.health(response);
    const [, api, projects, projectId, recordings, key, more] = pathname.split("/");
    if (api !== "api" || projects !== "projects" || more !== undefined)
      throw new HttpError(404, "no such path");
    const route = `${request.method} ${projectId ? (key ? "recording" : (recordings ?? "project")) : "projects"}`;
    if (projectId && (!UUID.test(projectId) || recordings !== "recordings"))
      throw new HttpError(404, "no such path");
    if (key && !KEY.test(key)) throw new HttpError(400, "the key has a character that is not allowed");
    switch (route) {
      case "POST projects":
        return this.createProject(request, response);
      case "GET recordings":
        return this.list(response, projectId);
      case "PUT recording":
        return this.put(response, projectId, key, await readBody(request, MAX_BODY));
      case "GET recording":
        return this.get(response, projectId, key);
      default:
        throw new HttpError(405, "no such method here");
    }
  }

  async health(response) {
    const named = async (name, check) => [
      name,
      await check.then(
        () => true,
        () => false,
      ),
    ];
    const checks = await Promise.all([
      named("postgres", this.pool.query("SELECT 1")),
      named("redis", this.redis.ping()),
    ]);
    const healthy = checks.every(([, fine]) => fine);
    sendJson(response, healthy ? 200 : 503, { healthy, ...Object.fromEntries(checks) });
  }

  async createProject(request, response) {
    let name;
    try {
      ({ name } = JSON.parse((await readBody(request, 65_536)).toString()) ?? {});
    } catch (error) {
      if (error instanceof HttpError) throw error;
    }
    if (typeof name !== "string" || name === "") throw new HttpError(400, 'send JSON like {"name": "…"}');
    const { rows } = await this.pool.query("INSERT INTO projects (name) VALUES ($1) RETURNING id, name", [
      name,
    ]);
    sendJson(response, 201, rows[0]);
  }

  async put(response, projectId, key, body) {
    const project = await this.pool.query("SELECT 1 FROM projects WHERE id = $1", [projectId]);
    if (project.rowCount === 0) throw new HttpError(404, "no such project");
    const { primary, shadows } = await this.endpoints.forWrite(projectId);
    if (!primary) throw new HttpError(503, "no storage endpoint for this project");
    const objectKey = `projects/${projectId}/${key}`;
    await putObject(primary, objectKey, body);
    // A shadow that is down must not lose the recording, which is safe in its first place.
    const copies = await Promise.allSettled(shadows.map(async (open) => putObject(open(), objectKey, body)));
    for (const copy of copies) if (copy.status === "rejected") logError("shadow copy", copy.reason);
    const { rows } = await this.pool.query(
      `INSERT INTO recordings (project_id, object_key, endpoint_id, bucket, size, sha256)
       VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (project_id, object_key) DO UPDATE SET endpoint_id = excluded.endpoint_id,
         bucket = excluded.bucket, size = excluded.size, sha256 = excluded.sha256, status = 'stored'
       RETURNING id, endpoint_id, bucket, size::int, sha256, status`,
      [
        projectId,
        key,
        primary.id,
        primary.bucket,
        body.length,
        createHash("sha256").update(body).digest("hex"),
      ],
    );
    await this.redis.lpush("ingest:jobs", JSON.stringify({ recordingId: rows[0].id }));
    const copied = copies.filter(({ status }) => status === "fulfilled").length;
    sendJson(response, 201, { key, ...rows[0], shadowCopies: copied });
  }

  async list(response, projectId) {
    const { rows } = await this.pool.query(
      `SELECT id, object_key AS key, endpoint_id, bucket, size::int, sha256, status, created_at
       FROM recordings WHERE project_id = $1 ORDER BY created_at LIMIT 1000`,
      [projectId],
    );
    sendJson(response, 200, { recordings: rows });
  }

  async get(response, projectId, key) {
    const { rows } = await this.pool.query(
      "SELECT endpoint_id, bucket FROM recordings WHERE project_id = $1 AND object_key = $2",
      [projectId, key],
    );
    if (!rows[0]) throw new HttpError(404, "no such recording");
    const endpoint = await this.endpoints.forRead(rows[0].endpoint_id);
    if (!endpoint) throw new HttpError(502, "the storage endpoint of this recording is gone");
    const bytes = await getObject(endpoint, rows[0].bucket, `projects/${projectId}/${key}`);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes.length });
    response.end(bytes);
  }
}

const { databaseUrl, redisUrl } = dataUrls();
const pool = connectPostgres(databaseUrl);
const redis = connectRedis(redisUrl);
const api = new Api(pool, redis, new Endpoints(pool, process.env.STORAGE_ENCRYPTION_KEY, virtualEndpoint()));
const server = createServer((request, response) => {
  api.handle(request, response).catch((error) => {
    const known = error instanceof HttpError;
    if (!known) logError(`${request.method} failed`, error);
    if (response.headersSent) return response.destroy();
    sendJson(response, known ? error.status : 502, { error: known ? error.message : "the request failed" });
  });
});
onShutdown(async () => {
  await closeServer(server);
  await Promise.allSettled([pool.end(), redis.quit()]);
});
const port = Number(process.env.PORT ?? 3000);
server.listen(port, () => console.log(`api listens on ${port}`));
