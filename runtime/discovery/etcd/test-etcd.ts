/** For tests: a real etcd, with its data in a folder of its own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Whether the program is there. */
export const hasEtcd = await promisify(execFile)("etcd", ["--version"]).then(
  () => true,
  () => false,
);

export interface EtcdOptions {
  /** PEM files; clients need a certificate where `clientCa` is given. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
}

export class TestEtcd {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), "stator-etcd-"));
  readonly #peerPort: number;
  readonly #tls: EtcdOptions["tls"];
  #process: ChildProcess | undefined;

  private constructor(port: number, peerPort: number, { tls }: EtcdOptions) {
    this.port = port;
    this.#peerPort = peerPort;
    this.#tls = tls;
  }

  static async start(options: EtcdOptions = {}): Promise<TestEtcd> {
    const etcd = new TestEtcd(await freePort(), await freePort(), options);
    await etcd.resume();
    return etcd;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts it, with the data that it had; resolves when it answers. */
  async resume(): Promise<void> {
    const scheme = this.#tls === undefined ? "http" : "https";
    const [client, peer] = [`${scheme}://${this.host}`, `http://127.0.0.1:${this.#peerPort}`];
    const args = [
      ["--data-dir", join(this.#folder, "data")],
      ["--listen-client-urls", client],
      ["--advertise-client-urls", client],
      ["--listen-peer-urls", peer],
      ["--initial-advertise-peer-urls", peer],
      ["--initial-cluster", `default=${peer}`],
      ["--log-level", "error"],
    ].flat();
    const { cert, key, clientCa } = this.#tls ?? {};
    if (cert !== undefined && key !== undefined) args.push("--cert-file", cert, "--key-file", key);
    if (clientCa !== undefined) args.push("--client-cert-auth", "--trusted-ca-file", clientCa);
    this.#process = spawn("etcd", args, {
      stdio: "ignore",
      env: { ...process.env, ETCD_UNSUPPORTED_ARCH: process.arch },
    });
    while (this.#process.exitCode === null && !(await answers(this.port)))
      await new Promise((resolve) => setTimeout(resolve, 20));
    if (this.#process.exitCode !== null) throw new Error("etcd ended at once.");
  }

  signal(name: NodeJS.Signals): void {
    this.#process?.kill(name);
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    this.#process = undefined;
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exit = once(running, "exit");
    running.kill("SIGKILL");
    await exit;
  }

  /** Removes the data of one that was killed. */
  loseData(): void {
    rmSync(join(this.#folder, "data"), { recursive: true, force: true });
  }

  /** Runs etcdctl; what it prints. */
  async ctl(...args: string[]): Promise<string> {
    const env = { ...process.env, ETCDCTL_API: "3" };
    const { stdout } = await promisify(execFile)("etcdctl", ["--endpoints", this.host, ...args], { env });
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Whether something takes connections at the port; etcd listens when it is ready. */
async function answers(port: number): Promise<boolean> {
  const { connect } = await import("node:net");
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
