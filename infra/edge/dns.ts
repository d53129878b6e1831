import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import { publicHosts } from "../app/routes.ts";
import { type PlannedRecord, planRecords, type ZoneSettings } from "./dns-plan.ts";

export interface DnsRecordsArgs {
  settings: ZoneSettings;
  /** The API token of Cloudflare. */
  token: pulumi.Input<string>;
}

/** Where the provider and the origins were known before they were children. */
const AT_ROOT = { parent: pulumi.rootStackResource };

/** The DNS records of the stack's hosts: looked up first, registered once what they lead to is there. */
export class DnsRecords extends pulumi.ComponentResource {
  readonly #name: string;
  readonly #settings: ZoneSettings;
  readonly #provider: cloudflare.Provider;

  constructor(name: string, { settings, token }: DnsRecordsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("rejourney:edge:DnsRecords", name, {}, opts);
    this.#name = name;
    this.#settings = settings;
    this.#provider = new cloudflare.Provider(
      `${name}-cloudflare`,
      { apiToken: pulumi.output(token).apply(needed) },
      { parent: this, aliases: [{ ...AT_ROOT, name: "rejourney-cloudflare" }] },
    );
  }

  /**
   * Looks the hosts up at Cloudflare. The result registers their records after `dependsOn`, so that a stack that goes loses
   * its names before what they lead to. Throws RunError, before anything is changed, when one is in the way; nothing
   * is overwritten.
   */
  async lookUp(): Promise<(dependsOn: pulumi.Resource) => void> {
    const { zoneId } = this.#settings.cloudflare;
    const options = { parent: this, provider: this.#provider };
    const found = await Promise.all(
      publicHosts(this.#settings).map(({ host }) =>
        cloudflare.getDnsRecords({ zoneId, name: { exact: host } }, options),
      ),
    );
    const { records, conflicts } = planRecords(
      this.#settings,
      found.flatMap(({ results }) => results),
    );
    if (conflicts.length > 0)
      throw new pulumi.RunError(
        `DNS records conflict with this stack; nothing was changed.\n  ${conflicts.join("\n  ")}`,
      );
    const settled = await Promise.all(
      records.map(async (record) => ({ record, adopted: await this.#wasAdopted(record) })),
    );
    return (dependsOn) => {
      for (const { record, adopted } of settled) this.#register(record, adopted, dependsOn);
      this.registerOutputs({});
    };
  }

  /** `adopted`: somebody else has made the record, so that it is imported, and stays when the stack goes. */
  #register({ key, existing, ...record }: PlannedRecord, adopted: boolean, dependsOn: pulumi.Resource): void {
    const { zoneId } = this.#settings.cloudflare;
    new cloudflare.DnsRecord(
      `${this.#name}-${key}`,
      { zoneId, ...record },
      {
        parent: this,
        provider: this.#provider,
        dependsOn,
        // Of a record that it was imported from before, it changes nothing.
        ...(adopted && existing !== undefined && { import: `${zoneId}/${existing}` }),
        retainOnDelete: adopted,
      },
    );
  }

  /**
   * How a record came into the stack, as the state keeps it from the first time on. To import one that the stack has made,
   * because somebody has removed its comment, would delete it as the old one of two.
   */
  async #wasAdopted({ key, existing }: PlannedRecord): Promise<boolean> {
    const input = existing === undefined ? "made" : "adopted";
    const { output } = new pulumi.Stash(
      `${this.#name}-${key}-origin`,
      { input },
      { parent: this, aliases: [AT_ROOT], ignoreChanges: ["input"] },
    );
    const origin = await new Promise((resolve) => output.apply(resolve));
    return origin === "adopted";
  }
}

function needed(token: string): string {
  if (token !== "") return token;
  throw new pulumi.RunError(
    "CLOUDFLARE_API_TOKEN has no value, but rejourney:cloudflare has a zoneId. Fix: add it to .env, then retry",
  );
}
