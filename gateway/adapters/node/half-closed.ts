import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Between looks at whether a client is still there: at first, and at most, in milliseconds. */
const FIRST_LOOK_MS = 100;
const LAST_LOOK_MS = 5_000;

/**
 * A client that has closed its side may only have no more to ask, or be gone: TCP tells them apart only where
 * something is sent. So as long as nothing of the answer is, an interim one is, which every client of HTTP/1.1 must
 * skip (RFC 9110, section 15.2); a system whose program is gone refuses it. Whoever closes in the middle of an answer
 * is taken to be gone: a stream may be silent for long.
 * @param answers that have not ended, on this connection
 */
export function watchHalfClosed(socket: Socket, answers: ReadonlySet<ServerResponse>): void {
  let timer: NodeJS.Timeout | undefined;
  const look = (nextMs: number, isFirst = false) => {
    const [answer] = answers;
    if (answer === undefined || socket.destroyed) return;
    if (answer.headersSent) {
      if (isFirst && !answer.writableEnded) socket.destroy();
      return;
    }
    const { httpVersionMinor } = answer.req;
    // A client of HTTP/1.0 knows no interim answers: what is not answered at once is for nobody.
    if (httpVersionMinor === 0 && !isFirst) return void socket.destroy();
    if (httpVersionMinor > 0) answer.writeContinue();
    timer = setTimeout(() => look(Math.min(nextMs * 2, LAST_LOOK_MS)), nextMs);
  };
  socket.once("end", () => look(FIRST_LOOK_MS, true));
  socket.once("close", () => clearTimeout(timer));
}
