// A stand-in for the plugin of @pulumi/cloudflare together with Cloudflare: zones are a file of records. It keeps to what
// both were seen to do: no two records alike, and an id for imports that is not the id in the state.
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { type Props, serve } from "../../tools/standins/serve.ts";

type DnsRecord = Props & { id: string; name: string; type: string; content: string };

const file = process.env.CLOUDFLARE_RECORDS!;
const read = () => JSON.parse(readFileSync(file, "utf8")) as DnsRecord[];
const write = (records: readonly DnsRecord[]) => writeFileSync(file, JSON.stringify(records));
const RECORD = ["zoneId", "name", "type", "content", "proxied", "ttl", "comment"];

function withoutTwin(records: readonly DnsRecord[], inputs: Props): void {
  const alike = records.some((one) => ["name", "type", "content"].every((key) => one[key] === inputs[key]));
  if (alike) throw new Error("An identical record already exists.");
}

serve("cloudflare", {
  types: { "cloudflare:index/dnsRecord:DnsRecord": RECORD },
  replaces: ["zoneId"],
  create: (_type, inputs) => {
    const records = read();
    withoutTwin(records, inputs);
    const id = randomBytes(16).toString("hex");
    write([...records, { ...inputs, id } as DnsRecord]);
    return { id, outputs: { recordId: id } };
  },
  update: (_type, inputs, old) => {
    const records = read();
    const found = records.find(({ id }) => id === old.recordId);
    if (found === undefined) throw new Error("Record does not exist.");
    withoutTwin(
      records.filter((one) => one !== found),
      inputs,
    );
    Object.assign(found, inputs);
    write(records);
    return old;
  },
  remove: (_type, { recordId }) => {
    const records = read();
    if (!records.some(({ id }) => id === recordId)) throw new Error("Record does not exist.");
    write(records.filter(({ id }) => id !== recordId));
    return Promise.resolve();
  },
  find: (_type, path) => {
    const [zoneId, recordId] = path.split("/");
    const found = read().find(({ id }) => id === recordId);
    if (found === undefined) throw new Error("Record does not exist.");
    const { id, ...inputs } = found;
    return { id, inputs: { ...inputs, zoneId, recordId: id } };
  },
  invoke: (_token, { name }) => ({
    results: read().filter((record) => record.name === (name as { exact: string }).exact),
  }),
});
