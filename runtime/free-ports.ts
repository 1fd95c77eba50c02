import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

/** Different ports of 127.0.0.1 that were free a moment ago. */
export const freePorts = (count: number): Promise<number[]> => freePortRanges(count, 1);

/** The first ports of different ranges, each of so many successive ports of 127.0.0.1 that were free a moment ago. */
export async function freePortRanges(count: number, length: number): Promise<number[]> {
  const ranges: Server[][] = [];
  while (ranges.length < count) {
    const range = await listenAt(length);
    if (range !== undefined) ranges.push(range);
  }
  const first = ranges.map(([server]) => (server!.address() as AddressInfo).port);
  await closeAll(ranges.flat());
  return first;
}

/** Listens at successive ports, from any on; undefined if one of them is taken. */
async function listenAt(length: number): Promise<Server[] | undefined> {
  const servers: Server[] = [];
  try {
    for (let index = 0; index < length; index++) {
      const first = servers[0]?.address() as AddressInfo | undefined;
      const server = createServer().listen(first === undefined ? 0 : first.port + index, "127.0.0.1");
      await once(server, "listening");
      servers.push(server);
    }
    return servers;
  } catch (error) {
    // There is always another first port.
    if (servers.length === 0) throw error;
    await closeAll(servers);
    return undefined;
  }
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => once(server.close(), "close")));
}

/** A port of 127.0.0.1 that was free a moment ago. */
export const freePort = async (): Promise<number> => (await freePorts(1))[0]!;

/** Whether something listens at this port of 127.0.0.1. */
export function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
