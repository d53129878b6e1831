import { Agent, type AgentOptions } from "node:http";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";

export interface S3Access {
  url: string;
  accessKeyId: string;
  secretAccessKey: string;
}

// Every name is this machine: the resolver of some does not know the names below localhost.
const lookup: AgentOptions["lookup"] = (_name, _options, callback) =>
  callback(null, [{ address: "127.0.0.1", family: 4 }]);

/** The keys in a bucket, asked of S3 itself, so that no test believes the application about where it wrote. */
export async function keysIn({ url, ...credentials }: S3Access, bucket: string): Promise<string[]> {
  const client = new S3Client({
    endpoint: url,
    region: "us-east-1",
    credentials,
    forcePathStyle: true,
    requestHandler: { httpAgent: new Agent({ lookup }) },
  });
  try {
    const { Contents } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
    return (Contents ?? []).map(({ Key }) => Key!);
  } finally {
    client.destroy();
  }
}
