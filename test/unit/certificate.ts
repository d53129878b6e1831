import { generate } from "selfsigned";

/** A certificate for these hosts and its private key, in PEM; good from yesterday on, for so many days. */
export async function pem(host: string, { others = [] as string[], days = 30 } = {}) {
  const start = Date.now() - 86_400_000;
  const { cert, private: key } = await generate([{ name: "commonName", value: host }], {
    notBeforeDate: new Date(start),
    notAfterDate: new Date(start + days * 86_400_000),
    extensions: [
      {
        name: "subjectAltName",
        altNames: [host, ...others].map((value) => ({ type: 2, value })),
      },
    ],
  });
  return { certificate: cert, key };
}
