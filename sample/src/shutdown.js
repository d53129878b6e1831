/** Runs `stop` at SIGTERM or SIGINT and ends the process, in time even when a peer hangs. */
export function onShutdown(stop) {
  let stopping = false;
  const end = async (signal) => {
    if (stopping) return;
    stopping = true;
    console.log(`${signal}: ending`);
    setTimeout(() => process.exit(0), 1_800).unref();
    await stop();
    process.exit(0);
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
}

/** Ends a server when what it has been asked is answered. A connection that is kept alive brings one more request. */
export async function closeServer(server) {
  const closed = new Promise((resolve) => server.close(resolve));
  server.prependListener("request", (request, response) => {
    response.shouldKeepAlive = false;
  });
  server.closeIdleConnections();
  await closed;
}
