import { openKeyRef } from "./secrets.js";

/** How long rows of storage_endpoints are kept: a new endpoint is in use within this time. */
const CACHE_MS = 1_000;

const QUERY = `SELECT id, project_id, endpoint_url, bucket, region, access_key_id, key_ref, priority, active, shadow
  FROM storage_endpoints`;

/** The rules by which the application picks storage, over a cached copy of storage_endpoints. */
export class Endpoints {
  #pool;
  #key;
  #virtual;
  #rows = null;
  #readAt = 0;

  constructor(pool, encryptionKey, virtualEndpoint) {
    this.#pool = pool;
    this.#key = encryptionKey;
    this.#virtual = virtualEndpoint;
  }

  /** Where a write of this project goes: one endpoint, and every shadow that gets a copy. */
  async forWrite(projectId) {
    const rows = await this.#all();
    if (rows.length === 0) return { primary: this.#virtual, shadows: [] };
    const active = rows.filter((row) => row.active);
    const own = active.filter((row) => !row.shadow && row.project_id === projectId);
    const global = active.filter((row) => !row.shadow && row.project_id === null);
    const chosen = pickWeighted(own.length > 0 ? own : global);
    const shadows = active.filter(
      (row) => row.shadow && (row.project_id === projectId || row.project_id === null),
    );
    return { primary: chosen && this.#open(chosen), shadows: shadows.map((row) => () => this.#open(row)) };
  }

  /** The endpoint that holds an object: the row it was written to, or the virtual one. */
  async forRead(endpointId) {
    if (endpointId === null) return this.#virtual;
    const row = (await this.#all()).find(({ id }) => id === endpointId);
    return row ? this.#open(row) : null;
  }

  async #all() {
    if (this.#rows === null || Date.now() - this.#readAt > CACHE_MS) {
      this.#rows = (await this.#pool.query(QUERY)).rows;
      this.#readAt = Date.now();
    }
    return this.#rows;
  }

  #open(row) {
    return {
      id: row.id,
      endpointUrl: row.endpoint_url,
      bucket: row.bucket,
      region: row.region || "us-east-1",
      accessKeyId: row.access_key_id ?? "",
      secretAccessKey: row.key_ref ? openKeyRef(row.key_ref, this.#key) : "",
    };
  }
}

/** Picks one row at random, each with the weight priority + 1. */
function pickWeighted(rows) {
  const weights = rows.map((row) => Math.max(0, row.priority + 1));
  let rest = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, row] of rows.entries()) {
    rest -= weights[index];
    if (rest < 0) return row;
  }
  return rows[0] ?? null;
}
