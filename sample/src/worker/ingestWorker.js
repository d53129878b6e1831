import { dataUrls } from "../config.js";
import { connectPostgres, connectRedis, logError } from "../connections.js";
import { onShutdown } from "../shutdown.js";

const JOBS = "ingest:jobs";
const TAKEN = "ingest:taken";

/** Puts back what a worker that was killed had taken; doing a job twice does no harm. */
async function requeue(redis) {
  while (await redis.lmove(TAKEN, JOBS, "RIGHT", "LEFT"));
}

const { databaseUrl, redisUrl } = dataUrls();
const pool = connectPostgres(databaseUrl);
const redis = connectRedis(redisUrl);
let running = true;
onShutdown(async () => {
  running = false;
  redis.disconnect();
  await pool.end();
});
console.log("ingest worker waits for jobs");
let recovered = false;
while (running) {
  try {
    if (!recovered) await requeue(redis);
    recovered = true;
    const job = await redis.blmove(JOBS, TAKEN, "RIGHT", "LEFT", 1);
    if (!job) continue;
    const { recordingId } = JSON.parse(job);
    await pool.query("UPDATE recordings SET status = 'processed' WHERE id = $1", [recordingId]);
    await redis.lrem(TAKEN, 1, job);
  } catch (error) {
    if (!running) break;
    logError("ingest", error);
    recovered = false;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
