import { createPrivateKey, X509Certificate } from "node:crypto";
import type { Problem } from "./problem.ts";

/** What is wrong with a certificate for these hosts; `key` is its private key, where that is known here. */
export function certificateProblems(
  certificate: string,
  key: string | undefined,
  hosts: readonly string[],
): Problem[] {
  const problem = (what: string): Problem => ({
    key: "ORIGIN_CERTIFICATE",
    what,
    fix: "create one at Cloudflare (SSL/TLS, Origin Server), and set it together with its private key",
  });
  let read: X509Certificate;
  try {
    read = new X509Certificate(certificate);
    if (key !== undefined && !read.checkPrivateKey(createPrivateKey(key)))
      return [problem("does not belong to ORIGIN_PRIVATE_KEY")];
  } catch {
    return []; // the rules for secrets say what is wrong with such a text
  }
  const absent = hosts.filter((host) => read.checkHost(host) === undefined);
  return [
    ...(new Date(read.validTo) < new Date() ? [problem(`has expired (${read.validTo})`)] : []),
    ...(absent.length > 0 ? [problem(`does not cover ${absent.join(", ")}`)] : []),
  ];
}
