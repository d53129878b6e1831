#!/usr/bin/env -S node --
// `npx rejourney …`: the same first step as the npm scripts. The `--` keeps Node from taking `--env-file` for its own.
process.argv.splice(2, 0, "cli/main.ts");
await import("../tools/bootstrap.mjs");
