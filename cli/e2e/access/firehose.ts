import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const EVENT = `data: ${JSON.stringify({
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "tiny",
  choices: [{ index: 0, delta: { content: "x".repeat(1000) }, finish_reason: null }],
})}\n\n`;

export interface Firehose {
  readonly url: string;
  /** Settles when the gateway has aborted the next answer. */
  cutOff(): Promise<unknown>;
  close(): Promise<void>;
}

/** An engine whose streamed answers never end and are sent as fast as they are read. */
export async function startFirehose(): Promise<Firehose> {
  const cut = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/v1/models")
      return void response.end(JSON.stringify({ object: "list", data: [{ id: "tiny", object: "model" }] }));
    if (request.method !== "POST") return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.once("close", cut.resolve);
    pour(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutOff: () => cut.promise,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function pour(response: ServerResponse): void {
  while (!response.destroyed && response.write(EVENT));
  if (!response.destroyed) response.once("drain", () => pour(response));
}
