#!/usr/bin/env node
// A `docker` for tests of all that is around it: it keeps no container, only what it was asked to bring up. It keeps
// its calls in `calls.jsonl` beside itself, the project in `up.yml`, and waits in a migration while there is a `hold`.
// Its volumes are empty, port 8080 is its own, and its engine's id is in `engine`. Every image is there; with `out-of-reach`, those that are made on this machine alone.
// With `failing-down`, `down` says what is in it, and fails.
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";

const args = process.argv.slice(2);
const here = (name) => join(import.meta.dirname, name);
const print = (value) => process.stdout.write(`${value}\n`);
const input = args[0] === "compose" && args.includes("--file=-") ? await text(process.stdin) : undefined;
const verb =
  args[0] === "compose" ? args.find((arg) => ["pull", "run", "up", "down"].includes(arg)) : undefined;
appendFileSync(here("calls.jsonl"), `${JSON.stringify({ args, verb, input, env: process.env })}\n`);

if (args[0] === "version") print("28.0.0");
else if (args[0] === "info") print(args.includes("--format={{.ID}}") ? engine() : "{}");
else if (args[0] === "volume") volumes();
else if (args.some((arg) => arg.includes("config_files"))) print("");
else if (args.includes("--format={{.Ports}}")) print("127.0.0.1:8080->8000/tcp");
else if (["image", "pull"].includes(args[0])) image(args.at(-1));
else if (args.includes("--filter=label=com.docker.compose.oneoff=True")) print("");
else if (args[0] === "ps") print(existsSync(here("up.yml")) ? "all" : "");
else if (args[0] === "inspect") print(JSON.stringify(containers()));
else if (args[0] === "compose" && args[1] === "version") print("2.40.3");
else if (verb === "run" && args.at(-1) === "migrate") await held();
else if (args[0] === "run") print("");
else if (verb === "up" && args.includes("--remove-orphans")) broughtUp();
else if (args.includes("--hash=*"))
  for (const service of Object.keys(parse(input).services)) print(`${service} same`);
else if (verb === "down") down();
else if (args[0] !== "compose") throw new Error(`unexpected: docker ${args.join(" ")}`);

function engine() {
  return existsSync(here("engine")) ? readFileSync(here("engine"), "utf8") : "AAAA";
}

// Those of a project that was up, until they are deleted. There is nothing in them.
function volumes() {
  if (args[1] === "rm") rmSync(here("volumes"));
  else if (existsSync(here("volumes"))) {
    const project = /project=(\S+)/.exec(args.join(" "))?.[1] ?? "";
    const all = readFileSync(here("volumes"), "utf8").split("\n");
    print(all.filter((name) => name.startsWith(project)).join("\n"));
  } else print("");
}

function image(reference) {
  if (existsSync(here("out-of-reach")) && !reference.startsWith("rejourney-sample/")) {
    process.stderr.write("Error response from daemon: lookup registry.test: no such host\n");
    process.exit(1);
  }
  const digit = existsSync(here("digest")) ? readFileSync(here("digest"), "utf8") : "1";
  print(`${reference.replace(/:[^:/]*$/, "")}@sha256:${digit.repeat(64)}`);
}

function broughtUp() {
  writeFileSync(here("up.yml"), input);
  const { name, volumes } = parse(input);
  writeFileSync(
    here("volumes"),
    Object.keys(volumes)
      .map((volume) => `${name}_${volume}`)
      .join("\n"),
  );
}

function down() {
  rmSync(here("up.yml"), { force: true });
  if (!existsSync(here("failing-down"))) return;
  process.stderr.write(`${readFileSync(here("failing-down"), "utf8")}\n`);
  process.exit(1);
}

function containers() {
  const { services } = parse(readFileSync(here("up.yml"), "utf8"));
  return Object.entries(services).map(([service, { image }]) => ({
    Id: service,
    RestartCount: 0,
    State: { Status: "running", Health: { Status: "healthy" } },
    Config: {
      Image: image,
      Labels: { "com.docker.compose.service": service, "com.docker.compose.config-hash": "same" },
    },
  }));
}

async function held() {
  if (!existsSync(here("hold"))) return;
  writeFileSync(here("at-work"), "");
  // Until this very hold is gone: the next one may be there at once.
  const hold = readFileSync(here("hold"), "utf8");
  while (existsSync(here("hold")) && readFileSync(here("hold"), "utf8") === hold) await sleep(50);
}
