import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerParent } from "./parent-link.ts";

export interface BareStart {
  /** The recorded answer of the gateway: its headers and events. */
  headers: Record<string, string>;
  events: readonly string[];
  delayMs: number;
}

/**
 * A minimal server: it reads a request and writes the recorded events, one per token. The role and the first token are
 * sent at once, as by the echo engine; the events after the last token are sent with it.
 */
answerParent({
  start({ headers, events, delayMs }: BareStart): Promise<number> {
    const server = createServer((request, response) => {
      request.on("end", () => {
        response.writeHead(200, headers);
        response.write(events[0]!);
        setImmediate(stream, response, 1);
      });
      request.resume();
    });
    const lastToken = events.length - 3;
    const stream = (response: ServerResponse, index: number): void => {
      response.write(events[index]!);
      if (index === lastToken) return void response.end(events[index + 1]! + events[index + 2]!);
      if (delayMs > 0) setTimeout(stream, delayMs, response, index + 1);
      else setImmediate(stream, response, index + 1);
    };
    return new Promise((resolve) => {
      server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
    });
  },
});
