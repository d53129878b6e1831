// Who may open a connection to whom, written by hand from what the application needs: rows are sources, columns are
// targets with their ports. One truth for the test that reasons about the policies and for the one that connects.

/** The row of each source; what has no pod is named in `places.ts`. A pod's own column stands for another of its kind. */
const TABLES = [
  // The application, then who is near it. A challenge is cert-manager's pod while it answers Let's Encrypt.
  `
                    api:3000  web:8080  postgres:5432  redis:6379  challenge:8089  migrate:443  stranger:443
  api                  .         .          open          open           .              .            .
  web                 open       .           .             .             .              .            .
  ingest-worker        .         .          open          open           .              .            .
  billing-worker       .         .          open          open           .              .            .
  alert-worker         .         .          open          open           .              .            .
  retention-worker     .         .          open          open           .              .            .
  migrate              .         .          open           .             .              .            .
  postgres             .         .           .             .             .              .            .
  redis                .         .           .             .             .              .            .
  challenge            .         .           .             .             .              .            .
  stranger             .         .           .             .             .              .            .
  traefik             open      open         .             .            open            .            .
  system               .         .           .             .             .              .            .
  other                .         .           .             .             .              .            .
  internet             .         .           .             .             .              .            .
  `,
  `
                    ingest-worker:443  billing-worker:443  alert-worker:443  retention-worker:443
  api                       .                  .                  .                   .
  web                       .                  .                  .                   .
  ingest-worker             .                  .                  .                   .
  billing-worker            .                  .                  .                   .
  alert-worker              .                  .                  .                   .
  retention-worker          .                  .                  .                   .
  migrate                   .                  .                  .                   .
  postgres                  .                  .                  .                   .
  redis                     .                  .                  .                   .
  challenge                 .                  .                  .                   .
  stranger                  .                  .                  .                   .
  traefik                   .                  .                  .                   .
  system                    .                  .                  .                   .
  other                     .                  .                  .                   .
  internet                  .                  .                  .                   .
  `,
  // The cluster around it: its machines with the API server and kubelet, and pods of other namespaces.
  `
                    dns:53  dns:53/udp  node:6443  node:10250  traefik:8443  system:443  other:443
  api                open      open         .          .            .            .           .
  web                open      open         .          .            .            .           .
  ingest-worker      open      open         .          .            .            .           .
  billing-worker     open      open         .          .            .            .           .
  alert-worker       open      open         .          .            .            .           .
  retention-worker   open      open         .          .            .            .           .
  migrate            open      open         .          .            .            .           .
  postgres            .         .           .          .            .            .           .
  redis               .         .           .          .            .            .           .
  challenge          open      open         .          .            .            .           .
  stranger           open      open         .          .            .            .           .
  traefik            open      open        open       open         open         open        open
  system             open      open        open       open         open         open        open
  other              open      open        open       open         open         open        open
  internet           open      open        open       open         open         open        open
  `,
  // Outside: 80 is the port of the configured S3, 587 that of the mail server.
  `
                    internet:443  internet:80  internet:587  internet:22  internet:5432  metadata:80
  api                   open          open         open           .             .             .
  web                    .             .            .             .             .             .
  ingest-worker         open          open         open           .             .             .
  billing-worker        open          open         open           .             .             .
  alert-worker          open          open         open           .             .             .
  retention-worker      open          open         open           .             .             .
  migrate                .             .            .             .             .             .
  postgres               .             .            .             .             .             .
  redis                  .             .            .             .             .             .
  challenge              .             .            .             .             .             .
  stranger               .             .            .             .             .             .
  traefik               open          open         open          open          open          open
  system                open          open         open          open          open          open
  other                 open          open         open          open          open          open
  `,
  // S3 and mail may be at a private address, and a machine of the cluster has one.
  `
                    private:443  private:80  private:587  node:443  node:80  node:587
  api                   open        open         open       open      open     open
  web                    .           .            .          .         .        .
  ingest-worker         open        open         open       open      open     open
  billing-worker        open        open         open       open      open     open
  alert-worker          open        open         open       open      open     open
  retention-worker      open        open         open       open      open     open
  migrate                .           .            .          .         .        .
  postgres               .           .            .          .         .        .
  redis                  .           .            .          .         .        .
  challenge              .           .            .          .         .        .
  stranger               .           .            .          .         .        .
  traefik               open        open         open       open      open     open
  system                open        open         open       open      open     open
  other                 open        open         open       open      open     open
  `,
];

export interface Flow {
  source: string;
  target: string;
  port: number;
  protocol: "TCP" | "UDP";
  open: boolean;
}

export const FLOWS: readonly Flow[] = TABLES.flatMap(read);

/** A flow as one line, which makes a difference between two lists readable; `state` is another than the table's. */
export function lineOf({ source, target, port, protocol, open }: Flow, state?: string): string {
  return `${source} → ${target}:${port}/${protocol.toLowerCase()} ${state ?? (open ? "open" : "closed")}`;
}

function read(table: string): Flow[] {
  const [head, ...rows] = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/ +/));
  return rows.flatMap(([source, ...cells]) =>
    head!.map((column, index) => {
      const [, target, port, udp] = /^(.+):(\d+)(\/udp)?$/.exec(column)!;
      const cell = cells[index];
      if (cell !== "open" && cell !== ".")
        throw new Error(`${source} → ${column} is neither open nor closed`);
      const protocol = udp === undefined ? "TCP" : "UDP";
      return { source: source!, target: target!, port: Number(port), protocol, open: cell === "open" };
    }),
  );
}
