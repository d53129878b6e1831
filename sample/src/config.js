/** Returns an environment variable, or ends the start with a message that names it. */
function required(name) {
  const value = process.env[name];
  if (!value) {
    console.error(`cannot start: ${name} is missing`);
    process.exit(1);
  }
  return value;
}

/** Where the database and the queue are. */
export function dataUrls() {
  return { databaseUrl: required("DATABASE_URL"), redisUrl: required("REDIS_URL") };
}

/** The endpoint that the S3_* variables describe, for a single node whose table is empty. */
export function virtualEndpoint() {
  const { env } = process;
  if (env.SELF_HOSTED_MODE !== "true" || !env.S3_ENDPOINT || !env.S3_BUCKET) return null;
  return {
    id: null,
    endpointUrl: env.S3_ENDPOINT,
    bucket: env.S3_BUCKET,
    region: env.S3_REGION || "us-east-1",
    accessKeyId: env.S3_ACCESS_KEY_ID ?? "",
    secretAccessKey: env.S3_SECRET_ACCESS_KEY ?? "",
  };
}
