import { BlockList, isIP } from "node:net";
import { networkInterfaces } from "node:os";

type Family = "ipv4" | "ipv6";

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet("127.0.0.0", 8);
LOOPBACK.addAddress("::1", "ipv6");

const PRIVATE = new BlockList();
PRIVATE.addSubnet("10.0.0.0", 8);
PRIVATE.addSubnet("172.16.0.0", 12);
PRIVATE.addSubnet("192.168.0.0", 16);
PRIVATE.addSubnet("fc00::", 7, "ipv6");

/** Whether a host is this machine, or an address of a private network that this machine is part of. */
export function isOwnAddress(host: string, interfaces = networkInterfaces()): boolean {
  const address = host.replace(/^\[|\]$/g, "");
  if (address === "localhost") return true;
  const family = familyOf(address);
  if (family === undefined) return false;
  if (LOOPBACK.check(address, family)) return true;
  if (!PRIVATE.check(address, family)) return false;
  const own = new BlockList();
  for (const { cidr } of Object.values(interfaces).flatMap((all) => all ?? [])) {
    const [network, prefix] = cidr?.split("/") ?? [];
    if (network !== undefined) own.addSubnet(network, Number(prefix), familyOf(network));
  }
  return own.check(address, family);
}

function familyOf(address: string): Family | undefined {
  return ({ 4: "ipv4", 6: "ipv6" } as Record<number, Family>)[isIP(address)];
}
