import { existsSync } from "node:fs";
import { type EngineEvent, LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";
import { command } from "../../infra/settings/command.ts";
import { projectRoot } from "../../infra/settings/sources.ts";
import type { Settings } from "../../infra/settings/load.ts";
import { areOutdated, needOfficial, pluginsFor, pluginsOf } from "./plugins.ts";
import { createStack, engineEnvironment, inWords, pluginEnvironment, pulumi } from "./pulumi-cli.ts";
import { settleLocks } from "../state/lock.ts";
import { Failure, log } from "../terminal/output.ts";
import { repairState } from "../state/repair.ts";
import { configFile, stateFile, stateFolder } from "../state/folder.ts";

/** A stack, ready for a run of the engine. */
export interface OpenStack {
  stack: Stack;
  /** What every run of the engine takes. */
  options: RunOptions;
  resources: readonly Resource[];
  /** True when the state has another plugin or context than the settings. A refresh then has to ask the program. */
  isOutdated: boolean;
}

interface RunOptions {
  /** The engine's copy of the stack's settings. */
  configFile: string;
  /** Ends the run after its current step. */
  signal: AbortSignal;
  /** Sees what the engine tells. */
  onEvent?: (event: EngineEvent) => void;
  suppressOutputs: true;
  /** With secrets shown, the engine would open the history by the committed settings, and write its salt there. */
  showSecrets: false;
}

export interface Resource {
  urn: string;
  type: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  /** Why it is not ready, where it was made and is not. */
  initErrors?: readonly string[];
}

/**
 * Opens a stack for a run: makes what is missing on a first run, and clears what a killed run left. `settings` are those
 * that the run applies; without them it needs no more than the state does. Throws Failure when the state cannot be
 * opened, or when a stand-in would have to serve where it must not.
 */
export async function openStack(name: string, settings?: Settings): Promise<OpenStack> {
  Object.assign(process.env, await engineEnvironment());
  const state = stateFolder();
  if (state !== undefined) {
    await settleLocks(state, name);
    repairState(state, name);
  }
  const copy = configFile(name);
  const before = await stateOf(name);
  const stack = await inWords(clientOf(name));
  // After a run, the client would ask for its outputs and history, by three processes more. The state, and the events
  // of the run, tell the same.
  stack.outputs = () => Promise.resolve({});
  stack.info = () => Promise.resolve(undefined);
  const resources = await settledResources(name, before);
  const used = new Set([...pluginsOf(resources), ...(settings === undefined ? [] : pluginsFor(settings))]);
  const { env, standIns } = await pluginEnvironment([...used]);
  Object.assign(process.env, env);
  needOfficial(standIns, resources, settings);
  const options = {
    configFile: copy,
    signal: stopSignal(),
    suppressOutputs: true,
    showSecrets: false,
  } as const;
  return { stack, options, resources, isOutdated: areOutdated(resources, settings) };
}

/** Ctrl-C and SIGTERM end a run after its current step, with a whole state. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const say = () => log("Stopping after the current step …");
  process.on("SIGINT", say); // a Ctrl-C reaches the engine by itself, and a second one ends it at once
  process.on("SIGTERM", () => {
    say();
    stop.abort();
  });
  return stop.signal;
}

/**
 * What `up` has deployed: the resources of the state, without a run of the engine. Throws Failure when there is no
 * state.
 */
export async function deployedResources(stack: string, ...flags: string[]): Promise<readonly Resource[]> {
  const found = await foundResources(stack, ...flags);
  if (found === undefined) throw nothingDeployed(stack);
  return found;
}

/** The same; undefined when there is no state. */
export async function foundResources(
  stack: string,
  ...flags: string[]
): Promise<readonly Resource[] | undefined> {
  const state = stateFolder();
  if (state !== undefined && !existsSync(stateFile(state, stack))) return undefined;
  Object.assign(process.env, await engineEnvironment());
  try {
    return resourcesIn(await exportedText(stack, ...flags));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function nothingDeployed(stack: string): Failure {
  return new Failure(`Nothing of the stack ${stack} is deployed from here. Next: ${command(stack, "up")}`);
}

/** Whether the engine knows no stack of the name that it was asked for. */
function isMissing(error: unknown): boolean {
  return /no stack named/.test((error as Error).message);
}

/** Throws Failure when nothing of a stack is deployed yet. */
export function needDeployed({ resources }: OpenStack, stack: string): void {
  if (resources.length > 0) return;
  throw new Failure(
    `Nothing of the stack ${stack} is deployed yet; the first run uses the secrets as they are. Next: ${command(stack, "up")}`,
  );
}

/** The stack's outputs, but for those that are secret. */
export function outputsOf(resources: readonly Resource[]): Record<string, unknown> {
  const { outputs = {} } = resources.find(({ type }) => type === "pulumi:pulumi:Stack") ?? {};
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => !isSecret(value)));
}

/** How the engine marks something in an export of a state, and the mark of a secret. */
const [MARK, SECRET] = ["4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"];

/** A secret as an import of a state takes it: the engine encrypts it. `json` is its value as JSON. */
export function wrapped(json: string): object {
  return { [MARK]: SECRET, plaintext: json };
}

/** Whether a part of an export is a secret, which the engine has wrapped. */
export function isSecret(value: unknown): value is Partial<Record<"plaintext" | "ciphertext", string>> {
  return typeof value === "object" && value !== null && MARK in value;
}

/** The resources in an export of a state. */
export function resourcesIn(state: string): readonly Resource[] {
  return (JSON.parse(state) as State).deployment?.resources ?? [];
}

/** The client of a stack that is there. It does not become the one that the user has selected. */
async function clientOf(name: string): Promise<Stack> {
  const workspace = await LocalWorkspace.create({ workDir: projectRoot });
  workspace.selectStack = () => Promise.resolve();
  return Stack.select(name, workspace);
}

/**
 * The resources of the state, its secrets encrypted. Operations that a killed run left open are forgotten: every
 * resource here bears being made again, and a random value that nothing has used yet is nobody's loss.
 */
async function settledResources(stack: string, text: string): Promise<readonly Resource[]> {
  const state = JSON.parse(text) as State;
  const { pending_operations: pending = [], ...deployment } = state.deployment ?? {};
  if (pending.length > 0) {
    log("The previous run was interrupted; resuming from where it stopped.");
    await replaceState(stack, text, JSON.stringify({ ...state, deployment }));
  }
  return deployment.resources ?? [];
}

/**
 * Puts a state in the place of the one that was exported as `before`. Throws Failure, with nothing changed, when another
 * run has changed it since; a lock does not span an export and an import.
 */
export async function replaceState(stack: string, before: string, after: string): Promise<void> {
  if ((await exportedText(stack)) !== before)
    throw new Failure(
      `Another run has changed the state of the stack ${stack} meanwhile; nothing was changed. Retry when it has ended.`,
    );
  await pulumi(["stack", "import", "--stack", stack], after);
}

/** The state of a stack as the engine exports it; it is made where it is not there. */
async function stateOf(stack: string): Promise<string> {
  try {
    return await exportedText(stack);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
  await createStack(stack);
  return exportedText(stack);
}

interface State {
  deployment?: { resources?: Resource[]; pending_operations?: unknown[] };
}

/** The state as the engine exports it; without flags, its secrets are encrypted. */
export function exportedText(stack: string, ...flags: string[]): Promise<string> {
  return pulumi(["stack", "export", "--stack", stack, ...flags]);
}
