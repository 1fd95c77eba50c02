import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

/** How long the rest of a body is read after its answer in all, and without any of it coming, in milliseconds. */
const LONGEST_MS = 30_000;
const IDLE_MS = 5_000;

/**
 * Lets a client read an answer that came before it had sent its whole body, such as a 413. Closing a connection with
 * data unread resets it, and a client, or a proxy in front, that is still sending then finds the reset and not the
 * answer (RFC 9112, section 9.6). So only the sending side is closed, and the rest of the body is read and dropped.
 * @param latest the latest request of the connection
 */
export function lingerOverUnreadBodies(socket: Socket, latest: () => IncomingMessage | undefined): void {
  const destroySoon = socket.destroySoon.bind(socket);
  socket.destroySoon = () => {
    const request = latest();
    if (request === undefined || request.complete || socket.destroyed || socket.readableEnded) destroySoon();
    else if (!socket.writableEnded) linger(socket, request);
  };
}

/** Whether the connection only waits for the end of a body whose answer was its last. */
export const isLingering = (socket: Socket): boolean => socket.writableEnded;

function linger(socket: Socket, request: IncomingMessage): void {
  const close = () => socket.destroy();
  const latest = setTimeout(close, LONGEST_MS);
  socket.setTimeout(IDLE_MS, close);
  socket.once("close", () => clearTimeout(latest));
  request.once("end", close);
  socket.once("end", close);
  socket.end();
  // Who read the body has stopped: a web stream's listener would pause it whenever its queue is full.
  request.removeAllListeners("data");
  request.resume();
}
