import { createServer } from "node:http";
import { closeServer, onShutdown } from "./shutdown.js";

const PAGE = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>Rejourney sample</title></head>
  <body><h1>Rejourney sample</h1><p>The deployment works. This page stands in for the dashboard.</p></body>
</html>
`;

const port = Number(process.env.PORT ?? 8080);
const server = createServer((request, response) => {
  const found = request.url?.split("?")[0] === "/";
  response
    .writeHead(found ? 200 : 404, { "content-type": "text/html; charset=utf-8" })
    .end(found ? PAGE : "");
});
onShutdown(() => closeServer(server));
server.listen(port, () => console.log(`web listens on ${port}`));
