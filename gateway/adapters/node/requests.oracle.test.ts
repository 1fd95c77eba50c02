import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Server } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLogger } from "#runtime";
import { openDiscovery } from "#runtime/node";
import { routerModule } from "../../routing/test-model.ts";
import type { ListeningGateway } from "../listening.ts";
import { startNodeGateway } from "./index.ts";

// Compares how we read clients' bytes with Node's own server (llhttp): an engine receives only what Node accepts as a
// request, with the same body; every connection ends, and the gateway keeps running.

const runs = Number(process.env.FUZZ_RUNS ?? 50);

/** A request as a server has parsed it. */
interface Understood {
  readonly method: string;
  readonly path: string;
  readonly body: string;
}

let gateway: ListeningGateway;
/** The requests received by the engine and by Node's own server. */
const forwarded: Understood[] = [];
const understood: Understood[] = [];

const engine = createServer((request, response) => {
  if (request.method === "GET") return void answerModels(request, response);
  void collect(request, forwarded).then(() => response.end(ANSWER));
});
// The gateway itself answers a request without Host, and reads on, so Node's server must not reject it.
const plain = createServer({ requireHostHeader: false }, (request, response) => {
  void collect(request, understood).then(() => response.end(ANSWER));
});

const ANSWER = JSON.stringify({ choices: [{ index: 0, message: { content: "Hi" }, finish_reason: "stop" }] });

function answerModels({ url }: IncomingMessage, response: ServerResponse): void {
  if (url === "/v1/models")
    response.end(JSON.stringify({ object: "list", data: [{ id: "tiny", object: "model" }] }));
  else response.writeHead(404).end();
}

async function collect(request: IncomingMessage, into: Understood[]): Promise<void> {
  let body = "";
  try {
    for await (const part of request) body += String(part);
  } catch {
    // The client disconnected before its request was complete.
    return;
  }
  into.push({ method: request.method ?? "", path: request.url ?? "", body });
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

beforeAll(async () => {
  for (const server of [engine, plain]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  gateway = await startNodeGateway({
    host: "127.0.0.1",
    port: 0,
    routerModule,
    discovery: await openDiscovery("memory:requests-oracle"),
    engines: [{ url: `http://127.0.0.1:${portOf(engine)}` }],
    bodyLimit: 1_000_000,
    timeoutMs: 10_000,
    preferenceDefaults: { session: "none", tenant: "none" },
    log: createLogger({ name: "test", level: "error", write: () => {} }),
    version: "0.0.0",
  });
  while ((await fetch(`http://127.0.0.1:${gateway.port}/health`)).status !== 200);
});

afterAll(async () => {
  await gateway.drain(0);
  for (const server of [engine, plain]) {
    server.closeAllConnections();
    server.close();
  }
});

/** Sends the pieces, then ends its side. @returns everything received until the server closed the connection */
function send(port: number, pieces: readonly Buffer[]): Promise<string> {
  const socket = connect(port, "127.0.0.1").setNoDelay(true);
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString("latin1");
  });
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => socket.on("close", () => resolve(answer)));
  void write();
  return closed;

  async function write(): Promise<void> {
    for (const piece of pieces) {
      if (socket.destroyed) return;
      socket.write(piece);
      await new Promise(setImmediate);
    }
    socket.end();
  }
}

const json = fc.record({
  model: fc.constantFrom("tiny", "tiny", "other"),
  messages: fc.constantFrom([{ role: "user", content: "Hi" }], [], "no list"),
  user: fc.jsonValue({ maxDepth: 1 }),
});

const request = fc
  .record({
    body: json.map((value) => Buffer.from(JSON.stringify(value))),
    method: fc.constantFrom("POST", "POST", "POST", "PUT", "GET", "TRACE", "OPTIONS"),
    path: fc.constantFrom(
      "/v1/chat/completions",
      "/v1/chat/completions",
      "/v1/completions?a=b",
      "/v1//chat/completions/",
      "/v1/%63hat/completions",
      "/v1/../admin/workers",
      "/v1/constructor",
      "/health",
      "*",
      "http://127.0.0.1/v1/chat/completions",
    ),
    headers: fc.array(
      fc.constantFrom(
        "Connection: keep-alive",
        "connection: close",
        "Expect: 100-continue",
        "x-stator-worker: \xe9",
        "x-data-parallel-rank: 7",
        "Accept-Encoding: gzip",
        "te: trailers",
        "upgrade: h2c",
        "authorization: Bearer x",
      ),
      { maxLength: 3 },
    ),
    isChunked: fc.boolean(),
    chunk: fc.integer({ min: 1, max: 40 }),
  })
  .map(({ body, method, path, headers, isChunked, chunk }) => {
    const own = ["host: 127.0.0.1", "content-type: application/json", ...headers];
    own.push(isChunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`);
    const head = Buffer.from(`${method} ${path} HTTP/1.1\r\n${own.join("\r\n")}\r\n\r\n`, "latin1");
    return Buffer.concat([head, isChunked ? chunked(body, chunk) : body]);
  });

function chunked(body: Buffer, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const data = body.subarray(at, at + size);
    parts.push(Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

const damages = fc.array(
  fc.record({
    kind: fc.constantFrom("replace", "insert", "remove", "repeat"),
    place: fc.nat(),
    byte: fc.oneof(fc.constantFrom(0, 9, 10, 13, 32, 44, 48, 58, 59, 127, 128), fc.nat(255)),
  }),
  { maxLength: 2 },
);

function damaged(
  bytes: Buffer,
  { kind, place, byte }: { kind: string; place: number; byte: number },
): Buffer {
  const at = place % bytes.length;
  const before = bytes.subarray(0, at);
  switch (kind) {
    case "insert":
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(at)]);
    case "remove":
      return Buffer.concat([before, bytes.subarray(at + 1)]);
    case "repeat":
      // Repeats a line or a length, for example.
      return Buffer.concat([bytes.subarray(0, at + (byte % 64)), bytes.subarray(at)]);
    default:
      return Buffer.concat([before, Buffer.from([byte]), bytes.subarray(at + 1)]);
  }
}

test("an engine receives only what Node's own server accepts as a request, and every connection ends", async () => {
  let reached = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 2 }),
      damages,
      fc.array(fc.nat(), { maxLength: 4 }),
      async (requests, faults, cuts) => {
        const bytes = faults.reduce(damaged, Buffer.concat(requests));
        const places = [...new Set(cuts.map((cut) => cut % bytes.length))].sort((a, b) => a - b);
        const pieces = [0, ...places].map((from, index) => bytes.subarray(from, places[index]));
        forwarded.length = 0;
        understood.length = 0;
        const [answer] = await Promise.all([send(gateway.port, pieces), send(portOf(plain), pieces)]);
        expect(answer).not.toContain(" 500 ");
        const bodies = understood.map(({ body }) => body);
        for (const { method, body } of forwarded) {
          expect(method).toBe("POST");
          expect(bodies).toContain(body);
        }
        expect(forwarded.length).toBeLessThanOrEqual(understood.length);
        if (faults.length === 0 && requests.length === 1) reached += forwarded.length;
        expect((await fetch(`http://127.0.0.1:${gateway.port}/health`)).status).toBe(200);
      },
    ),
    { numRuns: runs },
  );
  // Of many valid requests, some must reach the engine.
  if (runs >= 100) expect(reached).toBeGreaterThan(0);
}, 600_000);
