import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { createLogger } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { routerModule } from "../../routing/test-model.ts";
import type { ListeningGateway, ListeningOptions } from "../listening.ts";
import { startNodeGateway } from "./index.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A server of OpenAI's API; the test writes its answers, except to `GET /v1/models`. */
export class TestEngine {
  /** Paths of the API requests that it received, except `GET /v1/models`. */
  readonly asked: string[] = [];
  answer: Answer;
  readonly #server: Server;

  static async start(
    models: readonly string[] = ["tiny"],
    answer: Answer = answerWhole,
  ): Promise<TestEngine> {
    const engine = new TestEngine(models, answer);
    await new Promise<void>((resolve) => engine.#server.listen(0, "127.0.0.1", resolve));
    return engine;
  }

  private constructor(models: readonly string[], answer: Answer) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      if (request.method === "GET" && request.url === "/v1/models") {
        const data = models.map((id) => ({ id, object: "model" }));
        response
          .writeHead(200, { "content-type": "application/json" })
          .end(JSON.stringify({ object: "list", data }));
        return;
      }
      if (request.url?.startsWith("/v1/")) this.asked.push(request.url);
      request.resume().once("end", () => this.answer(request, response));
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const WHOLE = JSON.stringify({
  object: "chat.completion",
  choices: [{ index: 0, message: { role: "assistant", content: "Hello." }, finish_reason: "stop" }],
});

export const answerWhole: Answer = (_request, response) => {
  response.writeHead(200, { "content-type": "application/json" }).end(WHOLE);
};

/** The same with additional raw header lines. */
export const answerWith =
  (lines: string): Answer =>
  (_request, { socket }) => {
    socket?.end(
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n${lines}content-length: ${WHOLE.length}\r\n\r\n${WHOLE}`,
      "latin1",
    );
  };

export interface TestGateway extends ListeningGateway {
  readonly url: string;
  /** Its logged warnings and errors. */
  readonly logged: string[];
}

/** Starts a gateway in front of engines, and waits until all of them are ready. */
export async function startTestGateway(
  engines: readonly TestEngine[],
  options: Partial<ListeningOptions> = {},
): Promise<TestGateway> {
  const logged: string[] = [];
  const gateway = await startNodeGateway({
    host: "127.0.0.1",
    port: 0,
    discovery: await openDiscovery("memory:test-gateway"),
    routerModule,
    bodyLimit: 1_000_000,
    timeoutMs: 10_000,
    engines: engines.map(({ url }) => ({ url, name: undefined })),
    log: createLogger({ name: "test", level: "warn", write: (line) => void logged.push(line) }),
    version: "0.0.0",
    ...options,
  });
  for (;;) {
    const report = await gateway.engines.report();
    if (report.every(({ state }) => state === "ready")) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Object.assign(gateway, { url: `http://127.0.0.1:${gateway.port}`, logged });
}

/** Sends raw bytes. @returns everything received until the server closes the connection */
export function sendRaw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    let received = "";
    socket.setEncoding("latin1").on("data", (data) => {
      received += data;
    });
    socket.once("error", reject).once("end", () => resolve(received));
  });
}
