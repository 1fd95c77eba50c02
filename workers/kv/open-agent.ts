import { readFile } from "node:fs/promises";
import { openTransferAgent, type TransferAgent, type TransferAgentOptions, type TransferKind } from "#native";
import { parseAddress, type ServerTls } from "#runtime";
import { anyAddress } from "#runtime/node";

export interface KvAgentOptions {
  /** The worker's name. */
  readonly name: string;
  /** How KV travels; `auto` takes the best way that there is. */
  readonly kind: "auto" | TransferKind;
  /** Where the worker serves the request plane, and where others reach that. */
  readonly listen: string;
  readonly advertised: string;
  readonly tls: ServerTls | undefined;
}

/**
 * Opens the transfer agent of a worker. KV travels over TCP, if it has to, on a free port of the address at which the worker
 * serves the request plane; with TLS if that asks its clients for certificates, because then both sides have one.
 * @throws TransferError `unavailable` if a kind was asked for that this machine does not have
 */
export async function openKvAgent(options: KvAgentOptions): Promise<TransferAgent> {
  const { name, kind } = options;
  return openTransferAgent({ name, kind, tcp: await tcpOptions(options) });
}

async function tcpOptions({
  listen,
  advertised,
  tls,
}: KvAgentOptions): Promise<NonNullable<TransferAgentOptions["tcp"]>> {
  const [bound, reached] = [parseAddress(listen), parseAddress(advertised)];
  // Others reach a worker on NATS from any machine.
  if (bound.kind === "nats") return { host: anyAddress() };
  if (!("host" in bound) || !("host" in reached)) return {};
  return {
    host: bound.host,
    ...(reached.host !== bound.host && { advertise: reached.host }),
    ...(tls?.clientCa !== undefined && { tls: await readTls(tls.cert, tls.key, tls.clientCa) }),
  };
}

async function readTls(...paths: [cert: string, key: string, ca: string]) {
  const [cert, key, ca] = await Promise.all(paths.map((path) => readFile(path, "utf8")));
  return { cert: cert!, key: key!, ca: ca! };
}
