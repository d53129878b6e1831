import { dataUrls } from "./config.js";
import { connectRedis, logError } from "./connections.js";
import { onShutdown } from "./shutdown.js";

/** A worker that does no more than show, in Redis, that it runs and reaches what it needs. */
export function runHeartbeat(name) {
  const redis = connectRedis(dataUrls().redisUrl);
  const beat = () =>
    redis
      .set(`worker:${name}:heartbeat`, new Date().toISOString(), "EX", 60)
      .catch((error) => logError(`${name} heartbeat`, error));
  const timer = setInterval(beat, 5_000);
  onShutdown(() => {
    clearInterval(timer);
    redis.disconnect();
  });
  void beat();
  console.log(`${name} worker runs`);
}
