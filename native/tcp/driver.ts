import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { Driver, DriverContext } from "../driver.ts";
import { TransferError } from "../errors.ts";
import { SocketDriver } from "../sockets/driver.ts";
import type { TransferAgentOptions } from "../transfer.ts";

/** TCP between hosts, with TLS if configured: then both sides must have a certificate by the same authority. */
export async function openTcp(
  context: DriverContext,
  { host = "127.0.0.1", port = 0, advertise = host, tls }: NonNullable<TransferAgentOptions["tcp"]>,
): Promise<Driver> {
  const server =
    tls === undefined
      ? createServer({ noDelay: true, keepAlive: true })
      : createTlsServer({ ...tls, requestCert: true, noDelay: true, keepAlive: true });
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (cause) {
    const message = `Transfers cannot listen on ${host}:${port}; change tcp.host or tcp.port.`;
    throw new TransferError("unavailable", message, { cause });
  }
  server.unref();
  return new SocketDriver(
    {
      kind: "tcp",
      server,
      connection: tls === undefined ? "connection" : "secureConnection",
      place: `${(server.address() as AddressInfo).port} ${advertise}`,
      connect: (place) => open(place, tls),
      ready: tls === undefined ? "connect" : "secureConnect",
      createStaging: async () => undefined,
      openStaging: async () => {
        throw new TransferError("refused", "There are no staging files over TCP.");
      },
    },
    context,
  );
}

function open(place: string, tls: NonNullable<TransferAgentOptions["tcp"]>["tls"]): Socket {
  const [, port, host] = /^(\d{1,5}) (.+)$/.exec(place) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new TransferError("invalid", "The metadata is malformed.");
  const options = { port: Number(port), host: host!, noDelay: true, keepAlive: true };
  if (tls === undefined) return connect(options);
  // The secret in the metadata says which agent it is; the authority says that it is one of ours. Names are not checked.
  return connectTls({ ...options, ...tls, checkServerIdentity: () => undefined });
}
