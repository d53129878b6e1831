import { join } from "node:path";
import { execa } from "execa";
import { goTool } from "../../tools/setup/go-tool.ts";
import type { Log } from "../../tools/setup/log.ts";
import { isExcepted } from "./exceptions.ts";
import { kubernetesSchemas } from "./schemas.ts";

/** What kubeconform counts, and what it finds wrong. */
export interface Conformance {
  summary: { valid: number; invalid: number; errors: number; skipped: number };
  faults: string[];
}

/** Gets the tools and schemas, once. */
export async function prepareJudges(log: Log): Promise<void> {
  for (const tool of ["kubeconform", "kube-score", "actionlint", "traefik"] as const) await goTool(tool, log);
  await kubernetesSchemas(log);
}

const silent = () => undefined;

/** Kinds whose definition is in no registry; K3s brings it. */
const UNDEFINED_KINDS = ["HelmChartConfig"];

/** Holds manifests against the API description of Kubernetes, and those of Traefik and cert-manager. */
export async function conformance(files: readonly string[]): Promise<Conformance> {
  const location = join(await kubernetesSchemas(silent), "{{.ResourceKind}}{{.KindSuffix}}.json");
  const { stdout } = await execa(
    await goTool("kubeconform", silent),
    [
      ...["-strict", "-summary", "-output", "json", "-schema-location", location],
      ...["-skip", UNDEFINED_KINDS.join(",")],
      ...files,
    ],
    { reject: false },
  );
  const { summary, resources = [] } = JSON.parse(stdout) as {
    summary: Conformance["summary"];
    resources?: { name: string; kind: string; msg: string }[];
  };
  return { summary, faults: resources.map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`) };
}

/** Grades of kube-score: 1 is critical, 5 a warning, 10 fine. */
const FINE = 7;

interface Scored {
  object_name: string;
  checks: {
    check: { id: string };
    grade: number;
    skipped: boolean;
    comments: { path: string; summary: string }[] | null;
  }[];
}

/** What kube-score finds, critical or a warning, but for the exceptions; and how many checks it made. */
export async function score(files: readonly string[]): Promise<{ checks: number; faults: string[] }> {
  const { stdout } = await execa(
    await goTool("kube-score", silent),
    ["score", "--output-format", "json", "--kubernetes-version", "v1.30", ...files],
    { reject: false },
  );
  const made = (JSON.parse(stdout) as Scored[]).flatMap(({ object_name: name, checks }) =>
    checks.filter(({ skipped }) => !skipped).map((check) => ({ name, ...check })),
  );
  const faults = made
    .filter(({ name, check, grade }) => grade < FINE && !isExcepted(check.id, name))
    .map(({ name, check, comments }) => {
      const why = (comments ?? []).map(({ path, summary }) => `${path} ${summary}`.trim());
      return `${name}: ${check.id}: ${why.join("; ")}`;
    });
  return { checks: made.length, faults };
}

/** What actionlint finds wrong with workflows. Without shellcheck, which not every machine has. */
export async function actionFaults(files: readonly string[]): Promise<string[]> {
  const { stdout, exitCode, stderr } = await execa(
    await goTool("actionlint", silent),
    ["-shellcheck=", "-pyflakes=", "-no-color", "-oneline", ...files],
    { reject: false },
  );
  // 1: faults were found; anything above: it did not look.
  if (exitCode === undefined || exitCode > 1) throw new Error(stderr);
  return stdout === "" ? [] : stdout.split("\n");
}
