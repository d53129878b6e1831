// The first step of every npm script and of `npx rejourney`. It runs on whatever Node the machine has (18 or newer),
// needs no package, installs the packages when they are missing or older than package-lock.json, and then hands over
// to the Node that the packages bring, which runs TypeScript by type stripping.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [script, ...args] = process.argv.slice(2);

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function installPackages() {
  const marker = join(root, "node_modules", ".rejourney-installed");
  const lock = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(marker) && readFileSync(marker, "utf8") === lock) return;
  process.stderr.write("Installing the Node packages (npm ci) …\n");
  // NODE_ENV=production would leave out what the tests need.
  const flags = ["--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
  const { status } = spawnSync("npm", ["ci", ...flags], { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) fail("npm ci failed. Fix the error above, then retry.");
  writeFileSync(marker, lock);
}

// The packages bring a Node for Linux on x64 and arm64; elsewhere the machine's own has to be new enough.
function pinnedNode() {
  const node = join(root, "node_modules", ".bin", "node");
  if (existsSync(node)) return node;
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath;
  return fail(`Node ${process.versions.node} is too old. Install Node 24, then retry.`);
}

installPackages();
const node = pinnedNode();
// The pinned Node first on PATH, for the tools that a script starts. Each of them starts faster when what Node has
// compiled is kept. Node takes HTTPS_PROXY and NO_PROXY only when it is told to. `--`: what follows is not for Node itself.
const env = {
  NODE_USE_ENV_PROXY: "1",
  NODE_COMPILE_CACHE: join(root, "node_modules", ".cache", "node"),
  ...process.env,
  PATH: `${dirname(node)}:${process.env.PATH}`,
};
const child = spawn(node, ["--", join(root, script), ...args], { stdio: "inherit", env });
// A Ctrl-C reaches the child by itself; what it then does is its own affair, and this process waits for it.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("error", ({ message }) => fail(`Cannot start ${node}: ${message}`));
child.on("close", (status) => process.exit(status ?? 1));
