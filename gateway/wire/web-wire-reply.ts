import { WebBody } from "../kernel/web-body.ts";
import type { HttpHead, HttpHeader, WireReply } from "./types.ts";

/** An answer as a `Response` with a streamed body. */
export class WebWireReply extends WebBody implements WireReply {
  readonly response: Response;
  readonly isHolding = false;

  constructor(head: HttpHead, headers: readonly HttpHeader[]) {
    super();
    const all = new Headers();
    for (const [name, value] of head.headers) {
      if (!headers.some(([own]) => own === name)) all.append(name, value);
    }
    for (const [name, value] of headers) all.append(name, value);
    if (head.contentLength !== undefined) all.set("content-length", String(head.contentLength));
    const body = head.hasBody ? this.stream : null;
    this.response = new Response(body, { status: head.status, headers: all });
  }

  write(wire: Uint8Array): boolean {
    return this.send(new Uint8Array(wire));
  }

  writeText(text: string): boolean {
    return this.send(text);
  }

  finish(wire: Uint8Array): void {
    if (wire.length > 0) this.write(wire);
    this.end();
  }
}
