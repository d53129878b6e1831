/** What Traefik adds to every answer of the application; `https` where browsers come by HTTPS alone. */
export function securityHeaders(https: boolean) {
  return {
    contentTypeNosniff: true,
    customFrameOptionsValue: "SAMEORIGIN",
    referrerPolicy: "strict-origin-when-cross-origin",
    // A year. Not for subdomains: below the domain there may be hosts of others.
    ...(https && { stsSeconds: 31_536_000 }),
  };
}
