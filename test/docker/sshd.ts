import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { execa } from "execa";
import { eventually, freePort } from "./host.ts";

/** This machine as a host that is reached by SSH: a server on a port and with keys of its own. */
export interface SshHost {
  /** What makes `docker` go there. */
  env: { DOCKER_HOST: string; PATH: string };
  /** What the server has said. */
  log(): string;
  stop(): Promise<void>;
}

export async function sshHost(): Promise<SshHost> {
  const folder = mkdtempSync(join(tmpdir(), "rejourney-test-"));
  const file = (name: string) => join(folder, name);
  const keygen = (name: string) => execa("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file(name)]);
  await Promise.all([keygen("host"), keygen("user")]);
  const port = await freePort();
  const publicKey = (name: string) => readFileSync(file(`${name}.pub`), "utf8");
  writeFileSync(file("authorized"), publicKey("user"), { mode: 0o600 });
  writeFileSync(file("known"), `[127.0.0.1]:${port} ${publicKey("host")}`);
  const server = {
    Port: port,
    ListenAddress: "127.0.0.1",
    HostKey: file("host"),
    AuthorizedKeysFile: file("authorized"),
    PidFile: "none",
    UsePAM: "no",
    StrictModes: "no", // the folder for temporary files may be written by everybody
    MaxStartups: 100, // Compose opens a connection for each container it starts
  };
  const client = { IdentityFile: file("user"), UserKnownHostsFile: file("known"), BatchMode: "yes" };
  const text = (options: object) =>
    Object.entries(options)
      .map(([name, value]) => `${name} ${value}\n`)
      .join("");
  writeFileSync(file("server"), text(server));
  writeFileSync(file("client"), text(client));
  mkdirSync(file("bin"));
  // Docker calls `ssh`, which reads no other settings than those of its user's home.
  const ssh = (await execa("sh", ["-c", "command -v ssh"])).stdout;
  writeFileSync(file("bin/ssh"), `#!/bin/sh\nexec ${ssh} -F ${file("client")} "$@"\n`);
  chmodSync(file("bin/ssh"), 0o755);
  if (process.getuid?.() === 0) mkdirSync("/run/sshd", { recursive: true, mode: 0o755 });
  const sshd = (await execa("sh", ["-c", 'PATH="$PATH:/usr/sbin" command -v sshd'])).stdout;
  const child = spawn(sshd, ["-D", "-f", file("server"), "-E", file("log")], { stdio: "ignore" });
  const env = {
    DOCKER_HOST: `ssh://${userInfo().username}@127.0.0.1:${port}`,
    PATH: [file("bin"), process.env.PATH].join(delimiter),
  };
  await eventually(10, () => execa("docker", ["version"], { env }));
  return {
    env,
    log: () => readFileSync(file("log"), "utf8"),
    async stop() {
      child.kill();
      await once(child, "exit");
      rmSync(folder, { recursive: true });
    },
  };
}
