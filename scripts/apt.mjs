// Debian's packages that tests need. Runs on the machine's own Node (20 or newer).
import { existsSync } from "node:fs";
import { runToEnd } from "./install.mjs";

/** Installs packages by apt-get, where there is one and this is root. Whoever needs them says what is missing else. */
export async function installByApt(...packages) {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return;
  console.error(`Installing ${packages.join(" and ")} by apt-get.`);
  await run("apt-get", ["update", "-qq"]);
  await run("apt-get", ["install", "-qq", "--no-install-recommends", ...packages]);
}

/** Whether the command ran and succeeded. What it says goes to standard error. */
export async function run(command, args, env = process.env) {
  try {
    return (await runToEnd(command, args, { stdio: ["ignore", 2, 2], env })) === 0;
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    console.error(`There is no ${command} on this machine.`);
    return false;
  }
}

/** The servers of clusters, as Debian has them. Tests that need a missing one are skipped. */
export async function ensureClusterServers() {
  const servers = { etcd: "/usr/bin/etcd", "nats-server": "/usr/sbin/nats-server" };
  const missing = () => Object.keys(servers).filter((name) => !existsSync(servers[name]));
  if (missing().length > 0) await installByApt("etcd-server", "etcd-client", "nats-server");
  for (const name of missing())
    console.error(
      `There is no ${servers[name]}, so tests with ${name} are skipped. Debian and Ubuntu have it as a package.`,
    );
}
