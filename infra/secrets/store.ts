import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { definitionOf, SECRET_NAMES, type SecretName } from "../app/secrets.ts";
import { generatorName, hashKeyName, rotationsName, slotName } from "./names.ts";

export interface SecretStoreArgs {
  /** Values that a source (`.env`, the stack's settings) gives. They fill a slot only while it is empty. */
  sources: Partial<Record<SecretName, string>>;
  /** Secrets that another party makes: without a source they stay empty. Default: none. */
  notGenerated?: readonly SecretName[];
}

/**
 * The value in use of every secret, encrypted in the stack's state. A slot takes its first value and keeps it:
 * an older `.env`, or none at all, changes nothing. The generator of a value stays registered whichever source
 * filled the slot, so that a source that goes away deletes nothing.
 */
export class SecretStore extends pulumi.ComponentResource {
  /** An optional secret that nobody has given yet is an empty text. */
  readonly values: Readonly<Record<SecretName, pulumi.Output<string>>>;
  /** Names of the secrets whose source holds another value than the one in use. Not secret. */
  readonly differing: pulumi.Output<SecretName[]>;
  /** Names of the optional secrets that nobody has given yet. Not secret. */
  readonly empty: pulumi.Output<SecretName[]>;
  /** Key of the hashes that show a changed secret to the engine. */
  readonly hashKey: pulumi.Output<string>;

  constructor(name: string, args: SecretStoreArgs, opts?: pulumi.ComponentResourceOptions) {
    super("rejourney:secrets:SecretStore", name, {}, opts);
    const slots = SECRET_NAMES.map((secret) => [secret, this.slot(name, secret, args)] as const);
    this.values = Object.fromEntries(slots) as Record<SecretName, pulumi.Output<string>>;
    const inUse = pulumi.all(slots.map(([, value]) => value));
    this.differing = pulumi.unsecret(
      inUse.apply((values) =>
        SECRET_NAMES.filter((secret, i) => ![undefined, values[i]].includes(args.sources[secret])),
      ),
    );
    this.empty = pulumi.unsecret(inUse.apply((values) => SECRET_NAMES.filter((_, i) => values[i] === "")));
    this.hashKey = this.generator(hashKeyName(name), 32).result;
    // Written by `secrets rotate`, which edits the state: no run of the engine may forget or change it.
    new pulumi.Stash(
      rotationsName(name),
      { input: {} },
      { parent: this, protect: true, ignoreChanges: ["input"] },
    );
    this.registerOutputs({});
  }

  private slot(store: string, secret: SecretName, args: SecretStoreArgs): pulumi.Output<string> {
    const name = slotName(secret, store);
    const bytes = definitionOf(secret).generatedBytes;
    const generated = bytes === undefined ? "" : this.generator(generatorName(secret, store), bytes).result;
    const unused = args.notGenerated?.includes(secret) ? "" : undefined;
    const stash = new pulumi.Stash(
      name,
      { input: pulumi.secret(args.sources[secret] ?? unused ?? generated) },
      { parent: this, protect: true, ignoreChanges: ["input"] },
    );
    return pulumi.secret(stash.output as pulumi.Output<string>);
  }

  // Hex digits by RandomPassword: RandomBytes, which has them as an output, keeps its value in plain text as its
  // id (recorded state of its provider: testdata/recorded/TestProviderUpgrade/index_randombytes/4.16.0).
  private generator(name: string, bytes: number): random.RandomPassword {
    return new random.RandomPassword(
      name,
      { length: bytes * 2, lower: false, upper: false, special: true, overrideSpecial: "abcdef" },
      { parent: this, protect: true },
    );
  }
}
