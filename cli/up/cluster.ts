import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "#runtime";
import { acceptsConnections, freePorts } from "#runtime/node";
import { UsageError } from "../options/read.ts";

/** The servers that a cluster needs. */
export interface ClusterServers {
  /** Where its processes find each other: etcd. */
  readonly discovery: string;
  /** Its NATS server, with JetStream. */
  readonly nats: string;
  stop(): Promise<void>;
  /** Ends them at once. */
  kill(): void;
}

const PACKAGES = { etcd: "etcd-server", "nats-server": "nats-server" } as const;
type Program = keyof typeof PACKAGES;

/** Where Debian installs servers; often not in a user's path. */
const SERVER_FOLDERS = ["/usr/sbin", "/usr/local/sbin"];
const START_MS = 15_000;
const RESTART_MS = 500;

/** Ends the server when its standard input ends, so that it does not outlive a killed supervisor. */
const GUARD =
  '"$@" & server=$!; trap "kill $server" TERM; { read -r _ || true; kill $server; } <&3 & wait $server';

/**
 * Starts etcd and NATS on free ports of this machine, with their data in a folder.
 * @throws UsageError if one is not installed, with the command that installs it; Error if one does not start
 */
export async function startClusterServers(folder: string, log: Logger): Promise<ClusterServers> {
  const [etcd, nats] = [find("etcd"), find("nats-server")];
  const missing = (["etcd", "nats-server"] as const).filter((name) => find(name) === undefined);
  if (etcd === undefined || nats === undefined)
    throw new UsageError(
      `--cluster needs ${missing.join(" and ")}. On Debian or Ubuntu: apt-get install ${missing.map((name) => PACKAGES[name]).join(" ")}`,
    );
  const [client, peer, natsPort] = (await freePorts(3)) as [number, number, number];
  const urls = { client: `http://127.0.0.1:${client}`, peer: `http://127.0.0.1:${peer}` };
  const servers = [
    new Server("etcd", client, folder, log, [
      ...[etcd, "--data-dir", join(folder, "etcd"), "--log-level", "error"],
      ...["--listen-client-urls", urls.client, "--advertise-client-urls", urls.client],
      ...["--listen-peer-urls", urls.peer, "--initial-advertise-peer-urls", urls.peer],
      ...["--initial-cluster", `default=${urls.peer}`],
    ]),
    new Server("nats-server", natsPort, folder, log, [
      ...[nats, "-a", "127.0.0.1", "-p", String(natsPort), "-js", "-sd", join(folder, "nats")],
    ]),
  ];
  const kill = () => {
    for (const server of servers) server.kill();
  };
  try {
    await Promise.all(servers.map((server) => server.start()));
  } catch (error) {
    kill();
    throw error;
  }
  return {
    discovery: `etcd://127.0.0.1:${client}`,
    nats: `nats://127.0.0.1:${natsPort}`,
    kill,
    async stop() {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

function find(program: Program): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...SERVER_FOLDERS];
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** A server that is started again if it ends. */
class Server {
  readonly #name: Program;
  readonly #port: number;
  readonly #logFile: string;
  readonly #log: Logger;
  readonly #command: readonly string[];
  #process: ChildProcess | undefined;
  #isStopping = false;

  constructor(name: Program, port: number, folder: string, log: Logger, command: readonly string[]) {
    mkdirSync(folder, { recursive: true });
    this.#name = name;
    this.#port = port;
    this.#logFile = join(folder, `${name}.log`);
    this.#log = log;
    this.#command = command;
  }

  /** Resolves when it takes connections. @throws Error with its last words if it does not */
  async start(): Promise<void> {
    this.#spawn();
    const until = performance.now() + START_MS;
    while (!(await acceptsConnections(this.#port))) {
      if (performance.now() > until || this.#process?.exitCode != null)
        throw new Error(`${this.#name} does not start: ${lastLine(this.#logFile)}`);
      await sleep(50);
    }
  }

  kill(): void {
    this.#isStopping = true;
    this.#process?.stdin?.end();
    this.#process?.kill("SIGTERM");
  }

  async stop(): Promise<void> {
    this.kill();
    const running = this.#process;
    if (running !== undefined && running.exitCode === null && running.signalCode === null)
      await once(running, "exit");
  }

  #spawn(): void {
    const output = openSync(this.#logFile, "a");
    const child = spawn("sh", ["-c", `exec 3<&0; ${GUARD}`, "sh", ...this.#command], {
      stdio: ["pipe", output, output],
      // Ctrl-C reaches the whole process group, but the servers must outlive those that use them.
      detached: true,
    });
    closeSync(output);
    this.#process = child;
    child.on("error", () => {});
    child.stdin?.on("error", () => {});
    child.once("exit", () => {
      if (this.#isStopping) return;
      this.#log.error("a server of the cluster exited unexpectedly; restarting it", {
        server: this.#name,
        reason: lastLine(this.#logFile),
      });
      setTimeout(() => {
        if (!this.#isStopping) this.#spawn();
      }, RESTART_MS);
    });
  }
}

function lastLine(file: string): string {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return lines.at(-1) || "it says nothing";
}
