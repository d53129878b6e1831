import * as cloudflare from "@pulumi/cloudflare";
import * as pulumi from "@pulumi/pulumi";
import { publicHosts } from "../app/routes.ts";
import { type PlannedRecord, planRecords, type ZoneSettings } from "./dns-plan.ts";

/** Records that have been held against what Cloudflare has. */
export interface DnsRecordsArgs {
  zoneId: string;
  records: readonly (PlannedRecord & {
    /** Somebody else has made it: it is imported, and stays when the stack goes. */
    adopted: boolean;
  })[];
  provider: cloudflare.Provider;
}

/**
 * Looks the hosts up at Cloudflare. Throws RunError, before anything is changed, when a record is in the way; nothing is
 * overwritten.
 */
export async function lookUpRecords(
  settings: ZoneSettings,
  token: pulumi.Output<string>,
): Promise<DnsRecordsArgs> {
  const { zoneId } = settings.cloudflare;
  const provider = new cloudflare.Provider("rejourney-cloudflare", { apiToken: token.apply(needed) });
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
  const settled = records.map(async (record) => ({ ...record, adopted: await wasAdopted(record) }));
  return { zoneId, provider, records: await Promise.all(settled) };
}

function needed(token: string): string {
  if (token !== "") return token;
  throw new pulumi.RunError(
    "CLOUDFLARE_API_TOKEN: no value, and rejourney:cloudflare has a zone. Mend: add it to .env, then run the same command again",
  );
}

/**
 * How a record came into the stack, as the state keeps it from the first time on. To import one that the stack has made,
 * because somebody has removed its comment, would delete it as the old one of two.
 */
async function wasAdopted({ key, existing }: PlannedRecord): Promise<boolean> {
  const input = existing === undefined ? "made" : "adopted";
  const { output } = new pulumi.Stash(`rejourney-dns-${key}-origin`, { input }, { ignoreChanges: ["input"] });
  const origin = await new Promise((resolve) => output.apply(resolve));
  return origin === "adopted";
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
          // A component hands this on to nobody; so a stack that goes loses its names before what they lead to.
          ...(opts?.dependsOn !== undefined && { dependsOn: opts.dependsOn }),
          // Of a record that it was imported from before, it changes nothing.
          ...(adopted && existing !== undefined && { import: `${zoneId}/${existing}` }),
          retainOnDelete: adopted,
        },
      );
    this.registerOutputs({});
  }
}
