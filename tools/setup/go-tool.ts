import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { SetupError } from "./error.ts";
import { cacheDir } from "./cache.ts";
import { ensureGo } from "./go.ts";
import type { Log } from "./log.ts";

interface GoTool {
  package: string;
  /** Folder in tools/go of the module that pins it. Default: the tool's name. */
  module?: string;
  /** Linker flags beyond `-s -w`. */
  ldflags: string;
  /** How long a first build takes on two cores. */
  takes: string;
  /** Files that the package embeds and that lie in the module it pins: their names, with their paths there. */
  embeds?: Record<string, string>;
}

/** Tools that are built from the Go module proxy; each is pinned by a module of its own in tools/go. */
const GO_TOOLS = {
  pulumi: {
    package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    ldflags: "-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=3.259.0",
    takes: "3 to 4 minutes",
  },
  "pulumi-resource-kubernetes": {
    package: ".",
    module: "pulumi-kubernetes",
    ldflags: "-X github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version=4.25.0",
    takes: "5 to 10 minutes",
    embeds: {
      "schema.json": "cmd/pulumi-resource-kubernetes/schema.json",
      "terraform-mapping.json": "cmd/pulumi-resource-kubernetes/terraform-mapping.json",
    },
  },
  compose: {
    package: "github.com/docker/compose/v2/cmd",
    ldflags: "-X github.com/docker/compose/v2/internal.Version=v2.40.3",
    takes: "2 to 3 minutes",
  },
  traefik: {
    package: "github.com/traefik/traefik/v3/cmd/traefik",
    ldflags: "-X github.com/traefik/traefik/v3/pkg/version.Version=3.5.4",
    takes: "5 minutes",
  },
  versitygw: {
    package: "github.com/versity/versitygw/cmd/versitygw",
    ldflags: "-X main.Version=v1.8.0",
    takes: "1 minute",
  },
  kubeconform: {
    package: "github.com/yannh/kubeconform/cmd/kubeconform",
    ldflags: "-X main.version=v0.8.0",
    takes: "half a minute",
  },
  actionlint: {
    package: "github.com/rhysd/actionlint/cmd/actionlint",
    ldflags: "-X main.version=v1.7.8",
    takes: "half a minute",
  },
  "kube-score": {
    package: "github.com/zegl/kube-score/cmd/kube-score",
    ldflags: "-X main.version=v1.20.0",
    takes: "1 minute",
  },
  etcd: { package: "go.etcd.io/etcd/server/v3", ldflags: "", takes: "half a minute" },
  "kube-apiserver": ofKubernetes("kube-apiserver", "3 minutes"),
  "kube-controller-manager": ofKubernetes("kube-controller-manager", "half a minute"),
  "kube-scheduler": ofKubernetes("kube-scheduler", "half a minute"),
  kubelet: ofKubernetes("kubelet", "half a minute"),
  "kube-proxy": ofKubernetes("kube-proxy", "half a minute"),
  kubectl: ofKubernetes("kubectl", "half a minute"),
  coredns: {
    package: "github.com/coredns/coredns",
    ldflags: "",
    takes: "2 to 3 minutes",
  },
} satisfies Record<string, GoTool>;

function ofKubernetes(command: string, takes: string): GoTool {
  const version = "k8s.io/component-base/version";
  return {
    package: `k8s.io/kubernetes/cmd/${command}`,
    module: "kubernetes",
    ldflags: `-X ${version}.gitVersion=v1.36.3 -X ${version}.gitMajor=1 -X ${version}.gitMinor=36`,
    takes,
  };
}

export type GoToolName = keyof typeof GO_TOOLS;

/** The path at which a tool is kept once it is built, in a folder of its own keyed by everything that pins it. */
export function goToolPath(name: GoToolName): string {
  const key = createHash("sha256").update(flagsOf(name));
  for (const file of ["go.mod", "go.sum", "main.go"]) {
    const path = join(moduleOf(name), file);
    if (existsSync(path)) key.update(readFileSync(path));
  }
  return join(cacheDir, "tools", `${name}-${key.digest("hex").slice(0, 12)}`, name);
}

/**
 * The path of a tool, built on first use. It is put in place by a rename, so a build that is killed leaves nothing
 * that a later run would take. Throws with the end of the compiler's output.
 */
export async function goTool(name: GoToolName, log: Log): Promise<string> {
  const target = goToolPath(name);
  if (existsSync(target)) return target;
  mkdirSync(dirname(target), { recursive: true });
  const go = await ensureGo(log);
  log(`Building ${name} from the Go module proxy; this takes ${GO_TOOLS[name].takes}, once …`);
  const partial = `${target}.${process.pid}.partial`;
  const overlay = `${target}.${process.pid}.json`;
  writeFileSync(overlay, JSON.stringify({ Replace: await embedded(name, log) }));
  const flags = [
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    "-overlay",
    overlay,
    "-ldflags",
    flagsOf(name),
  ];
  const started = Date.now();
  const timer = setInterval(() => log(`  ${name}: ${Math.round((Date.now() - started) / 1000)} s …`), 15_000);
  try {
    const build = await execa(go, ["build", ...flags, "-o", partial, GO_TOOLS[name].package], {
      cwd: moduleOf(name),
      env: { CGO_ENABLED: "0", GOFLAGS: "", GOTOOLCHAIN: "auto" },
      reject: false,
    });
    if (build.exitCode !== 0)
      throw new SetupError(`Building ${name} failed:\n${build.stderr.split("\n").slice(-8).join("\n")}`);
    renameSync(partial, target);
  } finally {
    clearInterval(timer);
    for (const file of [partial, overlay]) rmSync(file, { force: true });
  }
  return target;
}

/** What a tool embeds: the paths at which the compiler looks for it, with those at which it lies. */
async function embedded(name: GoToolName, log: Log): Promise<Record<string, string>> {
  const { embeds, module }: GoTool = GO_TOOLS[name];
  if (embeds === undefined) return {};
  const [found] = Object.values(await goModules(module as "pulumi-kubernetes", log));
  return Object.fromEntries(
    Object.entries(embeds).map(([file, path]) => [join(moduleOf(name), file), join(found!.folder, path)]),
  );
}

/** A module that is read, and of which nothing is built. */
export interface GoModule {
  version: string;
  folder: string;
}

/** The modules that tools/go/`name` asks for, by their path; fetched on first use. */
export async function goModules(
  name: "kubernetes" | "crds" | "pulumi-kubernetes",
  log: Log,
): Promise<Record<string, GoModule>> {
  const go = await ensureGo(log);
  const direct = readFileSync(join(moduleOf(name), "go.mod"), "utf8").matchAll(
    /^(?:require )?\t?(\S+\.\S+\/\S+) (v\S+)$/gm,
  );
  const found: [string, GoModule][] = [];
  for (const [, path, version] of direct) {
    const { stdout } = await execa(go, ["mod", "download", "-json", `${path}@${version}`], {
      cwd: moduleOf(name),
      env: { GOFLAGS: "", GOTOOLCHAIN: "auto" },
    });
    found.push([path!, { version: version!, folder: (JSON.parse(stdout) as { Dir: string }).Dir }]);
  }
  return Object.fromEntries(found);
}

function flagsOf(name: GoToolName): string {
  return `-s -w ${GO_TOOLS[name].ldflags}`;
}

function moduleOf(name: GoToolName | "kubernetes" | "crds" | "pulumi-kubernetes"): string {
  const { module = name }: Partial<GoTool> = name in GO_TOOLS ? GO_TOOLS[name as GoToolName] : {};
  return join(import.meta.dirname, "..", "go", module);
}
