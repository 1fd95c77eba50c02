import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Time until the first check whether a client is still connected, then the backoff's minimum and maximum. */
const FIRST_CHECK_MS = 500;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

/**
 * A client that has closed its side may just have no more requests, or be gone: TCP shows the difference only when
 * something is sent. So if the answer is slow, this sends interim responses, which every HTTP/1.1 client must skip
 * (RFC 9110, section 15.2); a host whose program is gone resets the connection, and the next write fails. A client
 * that closes during an answer is assumed to be gone, because a stream may be silent for long.
 * @param answers the connection's unfinished answers
 */
export function watchHalfClosed(socket: Socket, answers: ReadonlySet<ServerResponse>): void {
  let timer: NodeJS.Timeout | undefined;
  const check = (nextMs: number) => {
    const [answer] = answers;
    if (answer === undefined || answer.headersSent || socket.destroyed) return;
    // HTTP/1.0 has no interim responses, so a slow answer is given up.
    if (answer.req.httpVersionMinor === 0) return void socket.destroy();
    answer.writeContinue();
    timer = setTimeout(() => check(Math.min(nextMs * 2, MAX_BACKOFF_MS)), nextMs);
  };
  socket.once("end", () => {
    const [answer] = answers;
    if (answer?.headersSent && !answer.writableEnded) socket.destroy();
    else timer = setTimeout(() => check(MIN_BACKOFF_MS), FIRST_CHECK_MS);
  });
  socket.once("close", () => clearTimeout(timer));
}
