import { SetupError } from "./error.ts";

/**
 * SHA-256 of what is downloaded. Of the CLI as in Pulumi's own formula for Homebrew; of the plugins, for which Pulumi
 * publishes none, as recorded by nixpkgs and by projects that pin the same archives.
 */
const CHECKSUMS: Readonly<Record<string, string>> = {
  "pulumi-v3.259.0-linux-x64": "94ba357acac23d01474084c4b00098dc0f7bc70ce13f34c777459254a5f718e5",
  "pulumi-v3.259.0-linux-arm64": "edc8327463a72160bb36cf82cf5062da9c8a244290a706d9980988e7bf486853",
  "pulumi-v3.259.0-darwin-x64": "eaca4c3b8277bfa3ab061fa3b270d1c66358a0b2e613da8c5587a04b7226c534",
  "pulumi-v3.259.0-darwin-arm64": "57c27f179e527e2cf9f62b841a448af72a020e44b2fb4ee0d9bd85556c00c864",
  "pulumi-resource-kubernetes-v4.25.0-linux-amd64":
    "6ea3d53c16a00c4d1017c4d109928d8f4801fd7cd978965cd43917561f3774b0",
  "pulumi-resource-kubernetes-v4.25.0-linux-arm64":
    "e4260240ed14bff6ed1a5a25a362311380ea1c072544fc262532b8197ea0725c",
  "pulumi-resource-kubernetes-v4.25.0-darwin-amd64":
    "e5dffbef3525bb6f41c2b328afb471149c7396c263d2acd2ef2fab51d63d47f3",
  "pulumi-resource-kubernetes-v4.25.0-darwin-arm64":
    "566425b7767be7184d59c7ea151812c98426d7dab85f93c9c676c1dc9d488d91",
  "pulumi-resource-command-v1.2.1-linux-amd64":
    "71377999d1da39f54e94d9fe2950f6bb9a0a090a577094866373397dcad2e800",
  "pulumi-resource-command-v1.2.1-linux-arm64":
    "d294ee36cc97499bc8c5d7905c6affeb4b768af50c26d6aeaa9a8f38d06fa558",
  "pulumi-resource-command-v1.2.1-darwin-amd64":
    "27d46196895697a363a2cee96e6a3691eda70cd529fcb183e3b3e8c5cfd73617",
  "pulumi-resource-command-v1.2.1-darwin-arm64":
    "23818e0f6e20e4ac54ae4f69fbc80665fe35a197485dcb677303cb4185d4a6e0",
  "pulumi-resource-random-v4.21.2-linux-amd64":
    "b980a23ae949bb38fd4bcd2c89cb7686be5814782f5859efddc92ea3dba64673",
  "pulumi-resource-random-v4.21.2-linux-arm64":
    "0c5351dd6b75ee231a7bac51d7de94e2ed79262f148967c076f2d3822f4ae174",
  "pulumi-resource-random-v4.21.2-darwin-arm64":
    "696299182855326c442981c7facd2e14397f3b38eb438e606ddf46a8de536cfa",
  "pulumi-resource-cloudflare-v6.21.0-linux-amd64":
    "d6067b5558023e79f1062d34fa4b6c65d5d4ab75fb05806bad9e2806d15a3467",
  "pulumi-resource-cloudflare-v6.21.0-linux-arm64":
    "9bb0c013f1ba159f8fdd422e353bbeed233d929d48fef8b2a1738631f16dd343",
  "pulumi-resource-cloudflare-v6.21.0-darwin-arm64":
    "f77ff2cccd8304a80ae1529e0f73f78a0f8c1518151873aa6903aa6ac4939318",
};

/** The checksum of an archive, by its name without `.tar.gz`. Throws SetupError when none is pinned for this platform. */
export function checksumOf(archive: string, fix: string): string {
  const found = CHECKSUMS[archive];
  if (found !== undefined) return found;
  throw new SetupError(
    `${archive} cannot be checked, because no checksum of it is pinned here.\n  Fix: ${fix}, then retry`,
  );
}
