import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";

/** A forwarded request and the engine's answer. */
export interface Recorded {
  readonly path: string;
  readonly request: string;
  status: number;
  /** Bytes of the body so far, as the engine sent them. */
  readonly answer: Uint8Array[];
}

/** A proxy in front of an engine that records requests and answers byte by byte. */
export class Recorder implements AsyncDisposable {
  readonly recorded: Recorded[] = [];
  readonly url: string;
  readonly #server: Server;

  static async open(engine: string): Promise<Recorder> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No free port.");
    return new Recorder(engine, server, address.port);
  }

  private constructor(engine: string, server: Server, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#server = server;
    server.on("request", (incoming, outgoing) => void this.#pass(engine, incoming, outgoing));
  }

  /** Generation requests, without a gateway's probes. */
  get generations(): Recorded[] {
    return this.recorded.filter(({ path }) => path.startsWith("/v1/") && path !== "/v1/models");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
  }

  async #pass(engine: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const part of incoming) parts.push(part);
    const body = Buffer.concat(parts);
    const entry: Recorded = { path: incoming.url ?? "", request: body.toString(), status: 0, answer: [] };
    this.recorded.push(entry);
    const { method, headers } = incoming;
    const upstream = request(`${engine}${incoming.url}`, { method, headers, agent: false });
    // When the engine dies, its connections break.
    const abort = () => outgoing.destroy();
    upstream.on("error", abort);
    outgoing.on("close", () => upstream.destroy());
    upstream.on("response", (answer) => {
      entry.status = answer.statusCode ?? 0;
      outgoing.writeHead(entry.status, answer.headers);
      answer.on("data", (part: Uint8Array) => {
        entry.answer.push(part);
        outgoing.write(part);
      });
      answer.on("end", () => outgoing.end());
      answer.on("error", abort);
      answer.on("aborted", abort);
    });
    upstream.end(body);
  }
}
