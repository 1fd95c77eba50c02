import type { ServerResponse } from "node:http";
import type { SecureContextOptions } from "node:tls";
import type { Context } from "hono";
import type {
  HttpCall,
  HttpHead,
  HttpHeader,
  HttpReceiver,
  HttpRequest,
  HttpTimeouts,
  HttpTransport,
  WireReply,
} from "../../../wire/types.ts";
import { ConnectionPool } from "./pool.ts";
import { NodeWireReply } from "./reply.ts";

/** Copies bytes from socket to socket: one write per read, and the body is parsed only to find its end. */
export class NodeHttpTransport implements HttpTransport {
  readonly #pool: ConnectionPool;

  /** @param tls certificates for `https:`, which add to or replace the system's */
  constructor(tls?: SecureContextOptions) {
    this.#pool = new ConnectionPool(tls);
  }

  call(request: HttpRequest, receiver: HttpReceiver, timeouts: HttpTimeouts): HttpCall {
    return this.#pool.send(request, receiver, timeouts);
  }

  reply(context: Context, head: HttpHead, headers: readonly HttpHeader[]): WireReply {
    const { outgoing } = context.env as { outgoing: ServerResponse };
    return new NodeWireReply(outgoing, head, headers);
  }

  close(): void {
    this.#pool.close();
  }
}
