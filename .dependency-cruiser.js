// The arrows of the house: what each room may import. A room that is not named here may import nothing of the project.
const TARGETS = ["single-node", "cluster", "rotation"];
const BELOW = {
  "cli/verbs": [...TARGETS, "secrets", "engine", "state", "terminal"].map((room) => `cli/${room}`),
  ...Object.fromEntries(
    TARGETS.map((room) => [
      `cli/${room}`,
      ["secrets", "engine", "state", "terminal"].map((below) => `cli/${below}`),
    ]),
  ),
  "cli/secrets": ["cli/engine", "cli/state", "cli/terminal"],
  "cli/engine": ["cli/state", "cli/terminal"],
  "cli/state": ["cli/terminal"],
  "cli/terminal": [],
};
const INFRA = {
  "infra/cluster": ["infra/kubernetes", "infra/secrets", "infra/settings", "infra/app"],
  "infra/kubernetes": ["infra/edge", "infra/secrets", "infra/settings", "infra/app"],
  "infra/docker": ["infra/compose", "infra/secrets", "infra/settings", "infra/app"],
  "infra/compose": ["infra/settings", "infra/app"],
  "infra/edge": ["infra/settings", "infra/app"],
  "infra/secrets": ["infra/app"],
  "infra/settings": ["infra/app"],
  "infra/storage": [],
  "infra/app": [],
};
const TOOLS = ["tools/setup", "tools/images", "tools/standins"];

/** Files of a room that lie in it or deeper. */
const within = (room) => `^${room}/`;

function mayImport(room, rooms, more = []) {
  return {
    name: room,
    comment: `${room}/ imports nothing but ${[...rooms, ...more].join(", ") || "libraries"}`,
    severity: "error",
    from: { path: within(room) },
    to: {
      // Files of the project; those directly in infra/ are for all.
      path: "^(cli|ci|infra|stacks|tools|test|sample)/",
      pathNot: [within(room), ...rooms.map(within), ...more],
    },
  };
}

const SHARED = "^infra/[^/]+\\.ts$";

export default {
  forbidden: [
    {
      name: "circle",
      comment: "Two files that need each other are one, or lack a third",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    ...Object.entries(BELOW).map(([room, rooms]) => mayImport(room, [...rooms, "infra", ...TOOLS])),
    ...Object.entries(INFRA).map(([room, rooms]) => mayImport(room, rooms, [SHARED])),
    mayImport("stacks", ["infra"]),
    mayImport("ci", ["infra", "cli/state"]),
    mayImport("tools", ["infra"]),
    {
      name: "nothing-imports-an-entry",
      comment: "What composes is imported by nobody",
      severity: "error",
      from: { pathNot: "^test/" },
      to: { path: "^(stacks/index|cli/main|ci/preview)\\.ts$" },
    },
    {
      name: "no-test-in-the-program",
      severity: "error",
      from: { path: "^(cli|ci|infra|stacks|tools)/" },
      to: { path: "^test/" },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "types"] },
  },
};
