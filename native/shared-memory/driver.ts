import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Driver, DriverContext } from "../driver.ts";
import { SocketDriver } from "../sockets/driver.ts";
import { removeStaleStagingFiles, StagingFile } from "../sockets/staging-file.ts";

/**
 * Shared memory on one host, without native code: memory content passes through a staging file in /dev/shm, a few
 * megabytes at a time, and both sides copy to and from it outside the event loop. Requests, notifications and the
 * notice that a peer has died travel on a socket in Linux's abstract namespace, which leaves no file behind.
 */
export async function openSharedMemory(context: DriverContext): Promise<Driver> {
  removeStaleStagingFiles();
  const place = `stator-kv-${randomBytes(16).toString("hex")}`;
  const server = createServer();
  server.listen(`\0${place}`);
  await once(server, "listening");
  server.unref();
  return new SocketDriver(
    {
      kind: "shared-memory",
      server,
      connection: "connection",
      place,
      connect: (name) => connect(`\0${name}`),
      ready: "connect",
      createStaging: () => StagingFile.create(),
      openStaging: (path) => StagingFile.open(path),
    },
    context,
  );
}
