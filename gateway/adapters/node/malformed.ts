import type { Socket } from "node:net";
import { ApiError } from "../../kernel/errors.ts";
import type { Connections } from "./connections.ts";

/** What a client gets to read the refusal, before its connection is closed. */
const LAST_WORDS_MS = 1_000;

/** What is not HTTP, or comes too slowly, gets an answer in the API's own shape before the connection closes. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Pick<Connections, "isOpen" | "isAnswering" | "endAfterAnswer">,
): void {
  // Before its handshake has ended a TLS connection takes no words, and waits for its handshake before it ends.
  if (error.code === "ECONNRESET" || !socket.writable || !connections.isOpen(socket)) socket.destroy();
  // It came behind a request that is being answered: that answer is whole first.
  else if (connections.isAnswering(socket)) connections.endAfterAnswer(socket);
  else endWith(socket, error.code);
}

function endWith(socket: Socket, code = ""): void {
  const [status, phrase, message] = REFUSALS[code] ?? NOT_HTTP;
  const body = JSON.stringify(badHttpError(status, message));
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Whether or not it closes its side, and whatever it goes on to send.
  const close = setTimeout(() => socket.destroy(), LAST_WORDS_MS);
  socket.once("close", () => clearTimeout(close));
}

type Refusal = readonly [status: number, phrase: string, message: string];

const NOT_HTTP: Refusal = [400, "Bad Request", "The request is not valid HTTP/1.1."];

const REFUSALS: Readonly<Record<string, Refusal | undefined>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "The request's headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "The request took too long to come."],
};

const badHttpError = (status: number, message: string) =>
  new ApiError(status, "invalid_request_error", message, { code: "bad_http" });

export const badHttp = (status: number, message: string) =>
  Response.json(badHttpError(status, message), { status });
