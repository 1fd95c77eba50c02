import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { createParser } from "eventsource-parser";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readEvents } from "../../../requests/wire/event-text.ts";
import { unframed } from "../../../wire/chunk-tracker.ts";
import { NodeHttpTransport } from "./index.ts";

// Compares how we read engines' answers with third-party parsers: HTTP with undici's (llhttp, in this runtime's
// fetch), event streams with eventsource-parser. Answers are valid or nearly so, and split at arbitrary points.

const runs = Number(process.env.FUZZ_RUNS ?? 80);
const TIMEOUTS = { connectMs: 5_000, firstByteMs: 5_000, idleMs: 5_000 };

/** The server's next answer, in pieces. */
let pieces: Buffer[] = [];
let origin: string;

const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket)).on("error", () => {});
  socket.setNoDelay(true);
  socket.once("data", () => void send(socket));
});

async function send(socket: Socket): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise(setImmediate);
  }
  socket.end();
}

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  server.close();
});

interface Seen {
  readonly status: number;
  readonly body: Buffer;
  /** The parts of the body as they were passed on. */
  readonly parts: readonly string[];
}

/** The answer as the transport under test reads it; undefined if it rejects it. */
function ours(): Promise<Seen | undefined> {
  const transport = new NodeHttpTransport();
  const request = { origin, method: "GET", path: "/", headers: [], body: undefined, mayReuse: false };
  return new Promise<Seen | undefined>((resolve) => {
    let status = 0;
    const parts: Buffer[] = [];
    const take = (wire: Uint8Array, isFramed: boolean) => {
      if (wire.length > 0) parts.push(Buffer.from(isFramed ? unframed(wire) : wire));
      return false;
    };
    transport.call(
      request,
      {
        onHead(head) {
          status = head.status;
        },
        onBytes: take,
        onEnd(wire, isFramed) {
          take(wire, isFramed);
          resolve({ status, body: Buffer.concat(parts), parts: parts.map(String) });
          return false;
        },
        onError: () => resolve(undefined),
      },
      TIMEOUTS,
    );
  }).finally(() => transport.close());
}

/** The answer as undici reads it. */
async function theirs(): Promise<Omit<Seen, "parts"> | undefined> {
  try {
    const response = await fetch(origin, { headers: { connection: "close" }, redirect: "manual" });
    return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
  } catch {
    return undefined;
  }
}

function eventsOf(text: string): { name: string; data: string }[] {
  const events: { name: string; data: string }[] = [];
  const parser = createParser({ onEvent: ({ event = "", data }) => events.push({ name: event, data }) });
  parser.feed(text);
  // A final CR may be the first half of a CRLF.
  parser.feed(text.endsWith("\r") ? "\n" : "");
  return events.filter(({ data }) => /[^\n]/.test(data));
}

const lineEnd = fc.constantFrom("\n", "\r\n", "\r");
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value));
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constantFrom("data: ", "data:", "data:  "), json).map((parts) => parts.join("")),
  },
  fc.constantFrom(
    ": ping",
    ":",
    "data",
    "data:",
    "event: message",
    "event:error",
    "id: 7",
    "retry: 10",
    "x-note: 1",
    "x",
  ),
);
const event = fc
  .tuple(fc.array(line, { minLength: 1, maxLength: 4 }), lineEnd)
  .map(([lines, end]) => lines.map((each) => each + end).join("") + end);
const comment = lineEnd.map((end) => `: between${end}`);
const stream = fc
  .tuple(
    fc.constantFrom("", "", "\ufeff"),
    fc.array(fc.oneof({ weight: 5, arbitrary: event }, comment), { maxLength: 8 }),
  )
  .map(([mark, parts]) => Buffer.from(mark + parts.join("")));

const cuts = fc.array(fc.nat(), { maxLength: 8 });

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...sorted]
    .map((from, index) => bytes.subarray(from, sorted[index]))
    .filter(({ length }) => length > 0);
}

const framing = fc.record({
  kind: fc.constantFrom("chunked", "chunked", "length", "close"),
  places: cuts,
  extension: fc.constantFrom("", "", ";a", ';a="b c"', " ;a", "\t; a = b"),
  isUpper: fc.boolean(),
  zeros: fc.constantFrom("", "", "0", "000"),
  trailer: fc.constantFrom("", "x-trailer: 1\r\n"),
});

type Framing = typeof framing extends fc.Arbitrary<infer Value> ? Value : never;

function framed(body: Buffer, { kind, places, extension, isUpper, zeros, trailer }: Framing): Buffer {
  if (kind !== "chunked") return body;
  const chunks = cut(body, places).map((data) => {
    const size = data.length.toString(16);
    return Buffer.concat([
      Buffer.from(`${zeros}${isUpper ? size.toUpperCase() : size}${extension}\r\n`),
      data,
      CRLF,
    ]);
  });
  return Buffer.concat([...chunks, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

const CRLF = Buffer.from("\r\n");

const head = fc.record({
  // Not 100 Continue, which undici treats as an error.
  interim: fc.constantFrom("", "", "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"),
  version: fc.constantFrom("1.1", "1.1", "1.0"),
  status: fc.constantFrom(200, 200, 201, 404, 500, 503),
  reason: fc.constantFrom(" OK", " ", " Not a\ttoken"),
  headers: fc.array(
    fc.constantFrom(
      "X-A: 1",
      "x-empty:",
      "x-spaces:   a b \t",
      "set-cookie: a=b",
      "Connection: keep-alive",
      "connection: close, X-A",
      "keep-alive: timeout=5",
      "content-encoding: identity",
      "x-latin: \xe9",
    ),
    { maxLength: 4 },
  ),
  type: fc.constantFrom(
    "Content-Type: text/event-stream",
    "content-type:text/event-stream; charset=utf-8",
    "CONTENT-TYPE: Text/Event-Stream ;charset=utf-8",
    "content-type: application/json",
  ),
});

const answer = fc.tuple(head, framing, stream).map(([parts, how, body]) => {
  const { interim, version, status, reason, headers, type } = parts;
  // Only HTTP/1.1 has chunks (RFC 9112, section 6.1).
  const kind = version === "1.0" && how.kind === "chunked" ? "close" : how.kind;
  const delimiter = {
    chunked: ["Transfer-Encoding: chunked"],
    length: [`content-length: ${body.length}`],
    close: [],
  };
  const lines = [...headers, type, ...delimiter[kind as keyof typeof delimiter]];
  const text = `${interim}HTTP/${version} ${status}${reason}\r\n${lines.map((each) => `${each}\r\n`).join("")}\r\n`;
  const wire = Buffer.concat([Buffer.from(text, "latin1"), framed(body, { ...how, kind })]);
  // Undici rejects blanks before an extension, which are valid (RFC 9112, section 7.1.1).
  const isReadByUndici = kind !== "chunked" || !/^[ \t]/.test(how.extension);
  return { status, body, wire, isReadByUndici };
});

test("a valid answer is read like undici and a reference event stream parser do, however it is split", async () => {
  await fc.assert(
    fc.asyncProperty(answer, cuts, async ({ status, wire, body, isReadByUndici }, places) => {
      pieces = cut(wire, places);
      const [mine, reference] = await Promise.all([ours(), isReadByUndici ? theirs() : { status, body }]);
      expect(reference?.body.equals(body)).toBe(true);
      expect(mine?.status).toBe(reference!.status);
      expect(mine?.body.toString()).toBe(body.toString());
      const text = body.toString();
      expect(readEvents(text)).toEqual(eventsOf(text));
      if (/event-stream/i.test(wire.toString("latin1")))
        expect(mine!.parts.flatMap(eventsOf)).toEqual(eventsOf(text));
    }),
    { numRuns: runs },
  );
}, 600_000);

/** Changes one byte anywhere, including in the head and the framing. */
const damage = fc.record({
  kind: fc.constantFrom("replace", "insert", "remove"),
  place: fc.nat(),
  byte: fc.oneof(fc.constantFrom(0, 9, 10, 13, 32, 34, 44, 48, 58, 59, 65, 127, 128), fc.nat(255)),
});

const isControl = (byte: number) => byte < 32 || byte === 127;

const CHUNKED = "Transfer-Encoding: chunked\r\n";

test("a damaged answer is read like undici reads it, or rejected", async () => {
  await fc.assert(
    fc.asyncProperty(answer, damage, cuts, async ({ wire }, { kind, place, byte }, places) => {
      const at = place % wire.length;
      const behind = kind === "insert" ? at : at + 1;
      const made = kind === "remove" ? [] : [byte];
      const damaged = Buffer.concat([wire.subarray(0, at), Buffer.from(made), wire.subarray(behind)]);
      pieces = cut(damaged, places);
      const [mine, reference] = await Promise.all([ours(), theirs()]);
      // With an unknown transfer coding, undici passes on the raw bytes, which would be wrong here, even if only an
      // empty list element makes it unknown (RFC 9110, section 5.6.1).
      if (wire.includes(CHUNKED) && !damaged.includes(CHUNKED)) return;
      // Undici accepts some control characters that HTTP does not allow.
      if (mine === undefined && !isControl(byte)) expect(reference).toBeUndefined();
      if (mine === undefined || reference === undefined) return;
      expect({ status: mine.status, body: mine.body.toString("latin1") }).toEqual({
        status: reference.status,
        body: reference.body.toString("latin1"),
      });
    }),
    { numRuns: runs },
  );
}, 600_000);
