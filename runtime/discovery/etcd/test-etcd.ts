/** For tests: a real etcd. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { freePort } from "../../free-ports.ts";
import { isInstalled, TestServer } from "../../testing/test-server.ts";

export const hasEtcd = await isInstalled("etcd");

export interface EtcdOptions {
  /** Whether other hosts can connect. */
  readonly isPublic?: boolean;
  /** PEM files; clients need a certificate if `clientCa` is set. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
}

export async function startEtcd({ tls, isPublic = false }: EtcdOptions = {}): Promise<TestServer> {
  const peer = `http://127.0.0.1:${await freePort()}`;
  return TestServer.start({
    path: "etcd",
    args(port, data) {
      const client = `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`;
      const args = [
        ["--data-dir", data, "--log-level", "error"],
        ["--listen-client-urls", isPublic ? client.replace("127.0.0.1", "0.0.0.0") : client],
        ["--advertise-client-urls", client],
        ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ["--initial-cluster", `default=${peer}`],
      ];
      if (tls !== undefined) args.push(["--cert-file", tls.cert, "--key-file", tls.key]);
      if (tls?.clientCa !== undefined) args.push(["--client-cert-auth", "--trusted-ca-file", tls.clientCa]);
      return args.flat();
    },
  });
}

/** Runs etcdctl. @returns its output */
export async function etcdctl({ host }: TestServer, ...args: string[]): Promise<string> {
  const env = { ...process.env, ETCDCTL_API: "3" };
  const { stdout } = await promisify(execFile)("etcdctl", ["--endpoints", host, ...args], { env });
  return stdout;
}
