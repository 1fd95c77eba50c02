import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A route's answer: JSON, text, or a function that writes it. */
export type Answer = object | string | ((request: IncomingMessage, response: ServerResponse) => void);

export interface AnswerServer extends AsyncDisposable {
  readonly url: string;
  /** Every request, as `METHOD path`. */
  readonly requests: string[];
}

/** Serves fixed answers by path on a free port; 404 for other paths. */
export async function serveAnswers(answers: Readonly<Record<string, Answer>>): Promise<AnswerServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    const answer = answers[request.url ?? ""];
    if (typeof answer === "function") answer(request, response);
    else if (answer === undefined) response.writeHead(404).end(`{"detail":"Not Found"}`);
    else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
