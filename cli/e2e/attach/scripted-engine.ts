import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An engine with scripted answers that reports nothing but its model. */
export class ScriptedEngine implements AsyncDisposable {
  readonly url: string;
  /** Answers everything under `/v1/` except `/v1/models`. */
  answer: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>, answer: ScriptedEngine["answer"]) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.answer = answer;
  }

  /** @param owner the kind of server that its models name */
  static async start(
    models: string | readonly string[],
    answer: ScriptedEngine["answer"],
    owner?: string,
  ): Promise<ScriptedEngine> {
    const data = [models].flat().map((id) => ({ id, object: "model", root: id, owned_by: owner }));
    const server = createServer((request, response) => {
      const { url = "" } = request;
      if (url === "/v1/models") sendJson(response, { object: "list", data });
      else if (url.startsWith("/v1/")) engine.answer(request, response);
      else response.writeHead(404).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const engine = new ScriptedEngine(server, answer);
    return engine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

export function sendJson(response: ServerResponse, json: unknown, status = 200, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(json));
}
