import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Until the first look at whether a client is still there, then between two at first and at most, in milliseconds. */
const FIRST_LOOK_MS = 500;
const NEXT_LOOK_MS = 100;
const LAST_LOOK_MS = 5_000;

/**
 * A client that has closed its side may only have no more to ask, or be gone: TCP tells them apart only where
 * something is sent. So where the answer does not come soon, an interim one is sent, which every client of HTTP/1.1
 * must skip (RFC 9110, section 15.2); a system whose program is gone refuses it, as the one after it shows. Whoever
 * closes in the middle of an answer is taken to be gone: a stream may be silent for long.
 * @param answers that have not ended, on this connection
 */
export function watchHalfClosed(socket: Socket, answers: ReadonlySet<ServerResponse>): void {
  let timer: NodeJS.Timeout | undefined;
  const look = (nextMs: number) => {
    const [answer] = answers;
    if (answer === undefined || answer.headersSent || socket.destroyed) return;
    // A client of HTTP/1.0 knows no interim answers: what is not answered soon is for nobody.
    if (answer.req.httpVersionMinor === 0) return void socket.destroy();
    answer.writeContinue();
    timer = setTimeout(() => look(Math.min(nextMs * 2, LAST_LOOK_MS)), nextMs);
  };
  socket.once("end", () => {
    const [answer] = answers;
    if (answer?.headersSent && !answer.writableEnded) socket.destroy();
    else timer = setTimeout(() => look(NEXT_LOOK_MS), FIRST_LOOK_MS);
  });
  socket.once("close", () => clearTimeout(timer));
}
