import { stages } from "../../infra/kubernetes/parts.ts";
import { kubernetesSettings } from "../unit/values.ts";
import type { Policy } from "./evaluate.ts";

export interface Rendered {
  /** The labels of the application's namespace. */
  namespaceLabels: Record<string, string>;
  policies: Policy[];
  /** The labels of the pods of every workload. */
  pods: Record<string, Record<string, string>>;
}

/** An S3 and a mail server outside, on the ports that the table of flows names. */
export const OUTSIDE = `S3_ENDPOINT=http://s3.example.com
S3_BUCKET=mine
S3_ACCESS_KEY_ID=AKIAEXAMPLE
S3_SECRET_ACCESS_KEY=made-up-for-this-test
SMTP_HOST=mail.example.com
SMTP_PORT=587
`;

/** The network of the stack prod, as it is rendered and registered. */
export function rendered(config: Record<string, unknown> = {}, env = OUTSIDE): Rendered {
  const manifests = stages(kubernetesSettings(config, env)).flatMap((stage) =>
    stage.flatMap((part) => part.manifests),
  );
  const ofKind = (...kinds: string[]) => manifests.filter(({ kind }) => kinds.includes(kind));
  const pods = ofKind("Deployment", "StatefulSet", "Job").map(({ metadata, spec }) => {
    const { template } = spec as { template: { metadata: { labels: Record<string, string> } } };
    // A migration's name ends with what it runs.
    return [metadata.name.replace(/^migrate-[0-9a-f]+$/, "migrate"), template.metadata.labels] as const;
  });
  const { name, labels } = ofKind("Namespace")[0]!.metadata;
  return {
    namespaceLabels: { ...labels, "kubernetes.io/metadata.name": name },
    policies: ofKind("NetworkPolicy") as unknown as Policy[],
    pods: Object.fromEntries(pods),
  };
}
