import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const clients = new Map();

/** One client per endpoint and key: a rotated key gets a client of its own. */
function clientFor(endpoint) {
  const id = [endpoint.endpointUrl, endpoint.region, endpoint.accessKeyId, endpoint.secretAccessKey].join(
    "\n",
  );
  let client = clients.get(id);
  if (!client) {
    client = new S3Client({
      endpoint: endpoint.endpointUrl,
      region: endpoint.region,
      credentials: { accessKeyId: endpoint.accessKeyId, secretAccessKey: endpoint.secretAccessKey },
      forcePathStyle: true,
      maxAttempts: 3,
      // R2 and others refuse the SDK's default checksums on some operations.
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
    clients.set(id, client);
  }
  return client;
}

/** Writes one object. */
export async function putObject(endpoint, key, body) {
  await clientFor(endpoint).send(new PutObjectCommand({ Bucket: endpoint.bucket, Key: key, Body: body }));
}

/** Reads one object whole. */
export async function getObject(endpoint, bucket, key) {
  const answer = await clientFor(endpoint).send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  return Buffer.from(await answer.Body.transformToByteArray());
}
