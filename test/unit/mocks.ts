import * as pulumi from "@pulumi/pulumi";
import { expect, vi } from "vitest";
import type { SecretName } from "../../infra/app/secrets.ts";

// Mocks say what a program registers, not what the engine or a provider makes of it: that a state holds no
// secret in plain text, and that a slot keeps its first value, only the real engine can show.

export const GENERATOR = "random:index/randomPassword:RandomPassword";
export const STASH = "pulumi:index:Stash";
export const STORE = "rejourney:secrets:SecretStore";

export interface Registered {
  type: string;
  name: string;
  parent: string;
  protect: boolean;
  retainOnDelete: boolean;
  ignoreChanges: string[];
  /** Id of what is there and is taken over. */
  import: string | undefined;
  /** Names of the resources that it waits for. */
  dependsOn: string[];
  /** Inputs that are secret as a whole, by name. */
  secret: string[];
  inputs: Record<string, unknown>;
}

/**
 * Runs a program as the engine would, and returns what it registers, by which provider, and its outputs. `inUse` are the
 * values that slots of the state hold already, `call` answers what the program looks up.
 */
export async function recorded<T>(
  stack: string,
  program: () => T | Promise<T>,
  inUse: Partial<Record<SecretName, string>> = {},
  call: pulumi.runtime.Mocks["call"] = () => ({}),
) {
  const registered: Registered[] = [];
  const known: Promise<unknown>[] = [];
  const providers: Record<string, string> = {};
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        providers[name] = provider ?? "";
        const state = { ...(inputs as Record<string, unknown>) };
        if (type === GENERATOR) state.result = `${name} made`;
        if (type === STASH) {
          const held = Object.keys(inUse).find((secret) => name === slotOf(secret as SecretName));
          state.output = held === undefined ? state.input : inUse[held as SecretName];
        }
        return { id: `${name}-id`, state };
      },
      call,
    },
    "rejourney",
    stack,
  );
  const outputs = (await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, props, opts }) => {
      const custom = opts as pulumi.CustomResourceOptions;
      const dependsOn = [opts.dependsOn ?? []].flat() as pulumi.Resource[];
      const entry: Registered = {
        type,
        name,
        parent: nameOf(opts.parent),
        protect: opts.protect ?? false,
        retainOnDelete: opts.retainOnDelete ?? false,
        ignoreChanges: custom.ignoreChanges ?? [],
        import: custom.import,
        dependsOn: dependsOn.map(nameOf),
        secret: [],
        inputs: {},
      };
      registered.push(entry);
      for (const [key, value] of Object.entries(props)) {
        const output: pulumi.Output<unknown> = pulumi.output(value as string);
        known.push(
          valueOf(output).then((plain) => (entry.inputs[key] = plain)),
          pulumi.isSecret(output).then((secret) => secret && entry.secret.push(key)),
        );
      }
      return undefined;
    });
    return program();
  })) as Record<string, unknown>;
  await Promise.all(known);
  // What waits for another is registered after it.
  await vi.waitFor(() => expect(Object.keys(providers).length).toBeGreaterThanOrEqual(registered.length));
  return { registered, outputs, providers };
}

/** The name of the resource that holds a secret. */
export const slotOf = (name: SecretName) => `secrets-${name.toLowerCase().replaceAll("_", "-")}`;

/** The value of an output. */
export function valueOf(output: unknown): Promise<unknown> {
  return new Promise((resolve) => void pulumi.output(output as string).apply(resolve));
}

function nameOf(resource: pulumi.Resource | undefined): string {
  return (resource as unknown as { __name?: string } | undefined)?.__name ?? "";
}
