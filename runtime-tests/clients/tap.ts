import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

/** A proxy that passes everything on as it comes, and keeps the bodies of chats. */
export class Tap implements AsyncDisposable {
  readonly url: string;
  /** The chats' bodies in the order in which they were complete. */
  readonly bodies: readonly Buffer[];
  readonly #server: Server;

  private constructor(server: Server, bodies: Buffer[]) {
    this.#server = server;
    this.bodies = bodies;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(upstream: string): Promise<Tap> {
    const bodies: Buffer[] = [];
    const server = createServer((incoming, outgoing) => {
      const { method, headers, url = "/" } = incoming;
      const onward = request(`${upstream}${url}`, { method: method ?? "GET", headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        pipeline(answer, outgoing, () => {});
      });
      onward.on("error", () => outgoing.destroy());
      outgoing.on("close", () => onward.destroy());
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        if (url === "/v1/chat/completions") bodies.push(Buffer.concat(chunks));
      });
      pipeline(incoming, onward, () => {});
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return new Tap(server, bodies);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
