import type { Socket } from "node:net";
import { ApiError } from "../../kernel/errors.ts";
import type { Connections } from "./connections.ts";

/** How long a client gets to read the error before its connection is closed. */
const FLUSH_MS = 1_000;

/** Answers malformed or slow requests with an error in the API's format, then closes the connection. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Socket,
  connections: Pick<Connections, "isOpen" | "isAnswering" | "endAfterAnswer">,
): void {
  // Before its handshake, a TLS connection cannot send anything, and `end` would wait for the handshake.
  if (error.code === "ECONNRESET" || !socket.writable || !connections.isOpen(socket)) socket.destroy();
  // It followed a request that is being answered: complete that answer first.
  else if (connections.isAnswering(socket)) connections.endAfterAnswer(socket);
  else endWith(socket, error.code);
}

function endWith(socket: Socket, code = ""): void {
  const [status, phrase, message] = REFUSALS[code] ?? NOT_HTTP;
  const body = JSON.stringify(badHttpError(status, message));
  socket.end(
    `HTTP/1.1 ${status} ${phrase}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
  // Even if the client keeps its side open or keeps sending.
  const close = setTimeout(() => socket.destroy(), FLUSH_MS);
  socket.once("close", () => clearTimeout(close));
}

type Refusal = readonly [status: number, phrase: string, message: string];

const NOT_HTTP: Refusal = [400, "Bad Request", "The request is not valid HTTP/1.1."];

const REFUSALS: Readonly<Record<string, Refusal | undefined>> = {
  HPE_HEADER_OVERFLOW: [431, "Request Header Fields Too Large", "The request's headers are too large."],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "Request Timeout", "The request took too long to arrive."],
};

const badHttpError = (status: number, message: string) =>
  new ApiError(status, "invalid_request_error", message, { code: "bad_http" });

export const badHttp = (status: number, message: string) =>
  Response.json(badHttpError(status, message), { status });
