import { lstat, unlink } from "node:fs/promises";
import { createConnection, type Server } from "node:net";
import { messageOf } from "./message-of.ts";

/** Where a server listens: a Unix socket's path, or a host and a port (0: a free one). */
export type ListenPlace = { path: string } | { host: string; port: number };

/**
 * Makes a server listen, replacing the socket file of a dead process.
 *
 * @throws Error whose message says why it cannot, as half a sentence
 */
export async function listenAt(server: Server, place: ListenPlace): Promise<void> {
  try {
    await listen(server, place);
  } catch (cause) {
    if (!("path" in place) || codeOf(cause) !== "EADDRINUSE") throw new Error(socketFault(cause), { cause });
    const { path } = place;
    if (!(await isSocket(path)))
      throw new Error("it exists and is not a socket, so it was left alone", { cause });
    if (await answers(path)) throw new Error("it is in use by another server", { cause });
    await unlink(path).catch(() => {});
    await listen(server, place).catch((again) => {
      throw new Error(socketFault(again), { cause: again });
    });
  }
}

/** Describes a socket error, as half a sentence. */
export function socketFault(cause: unknown): string {
  switch (codeOf(cause)) {
    case "ECONNREFUSED":
      return "nothing listens there";
    case "ENOENT":
      return "there is no such file or directory";
    case "EADDRINUSE":
      return "the address is in use";
    case "EADDRNOTAVAIL":
      return "this machine does not have that address";
    case "ENOTFOUND":
      return "there is no such host";
    case "EACCES":
      return "permission is denied";
    default:
      return messageOf(cause);
  }
}

async function listen(server: Server, place: ListenPlace): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("listening", resolve);
  server.once("error", reject);
  server.listen(place);
  try {
    await promise;
  } finally {
    server.off("listening", resolve).off("error", reject);
  }
}

async function isSocket(path: string): Promise<boolean> {
  return lstat(path).then(
    (file) => file.isSocket(),
    () => true,
  );
}

/** Whether a server listens at a Unix socket. */
async function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection(path);
  socket.once("connect", () => resolve(true));
  socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT"].includes(codeOf(error) ?? "")));
  const isListening = await promise;
  socket.destroy();
  return isListening;
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
