import { isIPv6 } from "node:net";
import { publicHosts } from "../app/routes.ts";
import type { KubernetesSettings } from "../settings/load.ts";

/** Settings of a cluster that keeps the records of a zone. */
export type ZoneSettings = KubernetesSettings & {
  cloudflare: { proxied: boolean; zoneId: string; addresses: string[] };
};

/** A record as Cloudflare has it. */
export interface ExistingRecord {
  id: string;
  name: string;
  type: string;
  content: string;
  proxied: boolean;
  /** Seconds; 1 is Cloudflare's own choice. */
  ttl: number;
  comment?: string | null | undefined;
}

/** A record as it is to be. */
export interface PlannedRecord {
  /** What it is known by in the stack. With the address: another one is made before this one goes. */
  key: string;
  name: string;
  type: "A" | "AAAA";
  content: string;
  proxied: boolean;
  ttl: number;
  comment?: string | undefined;
  /** A record that points there already, and that bears no mark of this stack. */
  existing?: string | undefined;
}

/** Whether the stack keeps DNS records. */
export function keepsRecords(settings: KubernetesSettings): settings is ZoneSettings {
  return settings.cloudflare?.zoneId !== undefined;
}

/**
 * What becomes of the records of the stack's hosts. One that points where it should is adopted as it is; those that the
 * stack has made bear its comment. `conflicts` are those that would be overwritten, or would lead some visitors elsewhere.
 */
export function planRecords(settings: ZoneSettings, existing: readonly ExistingRecord[]) {
  const { proxied, addresses } = settings.cloudflare;
  const comment = `rejourney ${settings.stack}`;
  const conflicts: string[] = [];
  const records = publicHosts(settings).flatMap(({ owner, host }) => {
    const here = existing.filter(({ name, type }) => name === host && ["A", "AAAA", "CNAME"].includes(type));
    const others = here.filter((record) => record.comment !== comment);
    for (const { type, content } of others.filter((record) => !addresses.includes(record.content)))
      conflicts.push(
        `${host} has a record (${type} ${content}) that this stack did not create. Fix: at Cloudflare, remove the record, or set it to ${addresses.join(" or ")}, so that the stack adopts it`,
      );
    return addresses.map((content): PlannedRecord => {
      const record = {
        key: `${owner}-${content.replaceAll(":", "-")}`,
        name: host,
        type: isIPv6(content) ? ("AAAA" as const) : ("A" as const),
        content,
        proxied,
      };
      const there = others.find((one) => one.content === content);
      if (there === undefined) return { ...record, ttl: 1, comment };
      if (there.proxied !== proxied)
        conflicts.push(
          `${host} has a record for ${content} that is ${there.proxied ? "" : "not "}proxied. Fix: change it at Cloudflare, or change rejourney:cloudflare.proxied`,
        );
      // As it is: a record is imported without a change, or not at all.
      const kept = there.comment ? { comment: there.comment } : {};
      return { ...record, ttl: there.ttl, ...kept, existing: there.id };
    });
  });
  return { records, conflicts };
}
