// Installs Debian packages for tests. Runs on the system's Node (20 or newer).
import { existsSync } from "node:fs";
import { runToEnd } from "./install.mjs";

/** Installs packages with apt-get, if available and running as root. Otherwise, the caller reports what is missing. */
export async function installByApt(...packages) {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  console.error(`Installing ${packages.join(" and ")} with apt-get.`);
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], environment);
  await run("apt-get", ["install", "-qq", "--no-install-recommends", ...packages], environment);
}

/** Runs a command with its output on standard error. @returns whether it ran and succeeded */
export async function run(command, args, env = process.env) {
  try {
    return (await runToEnd(command, args, { stdio: ["ignore", 2, 2], env })) === 0;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    console.error(`${command} is not installed.`);
    return false;
  }
}

/** Installs the cluster servers from Debian. Tests that need a missing one are skipped. */
export async function ensureClusterServers() {
  const servers = { etcd: "/usr/bin/etcd", "nats-server": "/usr/sbin/nats-server" };
  const missing = () => Object.keys(servers).filter((name) => !existsSync(servers[name]));
  if (missing().length > 0) await installByApt("etcd-server", "etcd-client", "nats-server");
  for (const name of missing())
    console.error(
      `${servers[name]} is missing, so tests with ${name} are skipped. Debian and Ubuntu have a package for it.`,
    );
}
