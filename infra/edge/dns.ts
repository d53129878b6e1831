import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import { publicHosts } from "../app/hosts.ts";
import { type PlannedRecord, planRecords, type ZoneSettings } from "./dns-plan.ts";

/** Records that have been held against what Cloudflare has. */
export interface DnsRecordsArgs {
  zoneId: string;
  records: readonly PlannedRecord[];
  provider: cloudflare.Provider;
}

/**
 * Looks the hosts up at Cloudflare. Throws RunError, before anything is changed, when a record is in the way; nothing is
 * overwritten.
 */
export async function lookUpRecords(
  settings: ZoneSettings,
  apiToken: pulumi.Input<string>,
): Promise<DnsRecordsArgs> {
  const { zoneId } = settings.cloudflare;
  const provider = new cloudflare.Provider("rejourney-cloudflare", { apiToken });
  const found = await Promise.all(
    publicHosts(settings).map(({ host }) =>
      cloudflare.getDnsRecords({ zoneId, name: { exact: host } }, { provider }),
    ),
  );
  const { records, conflicts } = planRecords(
    settings,
    found.flatMap(({ results }) => results),
  );
  if (conflicts.length > 0)
    throw new pulumi.RunError(
      `The DNS records are in the way; nothing was changed.\n  ${conflicts.join("\n  ")}`,
    );
  return { zoneId, records, provider };
}

/** The DNS records of the stack's hosts. */
export class DnsRecords extends pulumi.ComponentResource {
  constructor(name: string, args: DnsRecordsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("rejourney:edge:DnsRecords", name, {}, opts);
    const { zoneId, provider } = args;
    for (const { key, existing, adopted, ...record } of args.records)
      new cloudflare.DnsRecord(
        `${name}-${key}`,
        { zoneId, ...record },
        {
          parent: this,
          provider,
          // Of a record that the state has already, it changes nothing.
          ...(existing !== undefined && { import: `${zoneId}/${existing}` }),
          retainOnDelete: adopted,
        },
      );
    this.registerOutputs({});
  }
}
