/** Puts a worker of another version before a gateway: a proxy that rewrites what passes between them. */
import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, type DescMessage, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import {
  DrainRequestSchema,
  EmbedRequestSchema,
  EmbedResponseSchema,
  GenerateRequestSchema,
  KvEventsHelloSchema,
  KvEventsRequestSchema,
  TokenizeRequestSchema,
} from "#proto";
import { type JsonValue, randomId } from "#runtime";
import {
  encodeMessage,
  messageKind,
  decodeMessage as readKvMessage,
} from "../../../runtime/kv-events/wire.ts";
import { decodeCall, encodeCallHead } from "../../../runtime/request-plane/call-frame.ts";
import { frameType, headBytes, putUint32 } from "../../../runtime/request-plane/frame.ts";
import { FrameParser } from "../../../runtime/request-plane/frame-parser.ts";

/** How the messages of another version differ from those of this one. */
export interface OtherVersion {
  /** The payload of the request plane's hello. */
  hello(payload: Uint8Array): Uint8Array;
  /** Any protobuf message, in binary. */
  message(schema: DescMessage, payload: Uint8Array): Uint8Array;
  /** A registration in discovery. */
  registration(value: JsonValue): JsonValue;
}

/** One version older: it does not ping, and its messages have only what they cannot do without. */
export const older: OtherVersion = {
  hello: (payload) => payload.slice(0, 10),
  message(schema, payload) {
    const required = REQUIRED[schema.typeName] ?? [];
    const whole: Record<string, unknown> = { ...fromBinary(schema, payload) };
    const kept = Object.fromEntries(required.map((field) => [field, whole[field]]));
    return toBinary(schema, create(schema, kept));
  },
  registration(value) {
    const { id, address, name, drainWithinMs, card } = value as Record<string, JsonValue>;
    const kept = Object.entries(card as Record<string, JsonValue>).filter(
      ([field]) => !WITH_DEFAULT.includes(field),
    );
    const leaving = drainWithinMs === undefined ? {} : { drainWithinMs };
    return { id: id!, address: address!, name: name!, ...leaving, card: Object.fromEntries(kept) };
  },
};

/** One version newer: all its messages have fields that this version does not know, at every level. */
export const newer: OtherVersion = {
  hello: (payload) => Uint8Array.of(...payload, 1, 2, 3, 4),
  message(schema, payload) {
    const message = fromBinary(schema, payload);
    addUnknown(schema, message);
    return toBinary(schema, message);
  },
  registration: (value) => {
    const extended = withUnknown(value) as { card: { apis: string[] } };
    extended.card.apis.push("telepathy");
    return extended;
  },
};

/** The fields without which a message means nothing. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  [GenerateRequestSchema.typeName]: ["requestId", "model", "tokenIds", "maxTokens"],
  [EmbedRequestSchema.typeName]: ["inputs"],
  [EmbedResponseSchema.typeName]: ["vectors"],
  [TokenizeRequestSchema.typeName]: ["text"],
  [KvEventsHelloSchema.typeName]: ["epoch"],
  [DrainRequestSchema.typeName]: [],
  [KvEventsRequestSchema.typeName]: [],
};

/** The fields of a card that have a default. */
const WITH_DEFAULT = [
  "aliases",
  "tags",
  "role",
  "dataParallelSize",
  "specialTokens",
  "addBos",
  "created",
  "engine",
];

function withUnknown(value: JsonValue | undefined): JsonValue {
  if (Array.isArray(value)) return value.map(withUnknown);
  if (typeof value !== "object" || value === null) return value ?? null;
  const known = Object.entries(value).map(([field, each]) => [field, withUnknown(each)]);
  return { ...Object.fromEntries(known), fromTheFuture: { of: ["a", "newer", 7] } };
}

/** Adds field 1,000, a string, to a message and those in it. */
export function addUnknown(schema: DescMessage, message: Message): void {
  message.$unknown = [{ no: 1000, wireType: 2, data: Uint8Array.of(3, 110, 101, 119) }];
  const values: Record<string, unknown> = { ...message };
  for (const field of schema.fields) {
    if (field.message === undefined || values[field.localName] === undefined) continue;
    for (const each of [values[field.localName]].flat()) addUnknown(field.message, each as Message);
  }
}

const REQUESTS: Readonly<Record<string, DescMessage>> = {
  generate: GenerateRequestSchema,
  embed: EmbedRequestSchema,
  tokenize: TokenizeRequestSchema,
  kv_events: KvEventsRequestSchema,
  drain: DrainRequestSchema,
};

/**
 * Serves the worker at `address` as one of another version: both ends get the other's messages rewritten.
 * @returns the address for the gateway, and the endpoints that have been called
 */
export async function proxyWorker(address: string, version: OtherVersion) {
  const path = join(tmpdir(), `stator-${randomId()}.sock`);
  const called = new Set<string>();
  const sockets = new Set<Socket>();
  const server = createServer((gateway) => {
    const worker = connect(address.replace(/^unix:/, ""));
    const endpoints = new Map<number, string>();
    relay(gateway, worker, (type, stream, payload) => {
      if (type === frameType.hello) return version.hello(payload);
      if (type !== frameType.call) return payload;
      const { request, ...head } = decodeCall(payload);
      endpoints.set(stream, head.endpoint);
      called.add(head.endpoint);
      const schema = REQUESTS[head.endpoint];
      const changed = schema === undefined ? request : version.message(schema, request);
      return Uint8Array.of(...encodeCallHead(head), ...changed);
    });
    relay(worker, gateway, (type, stream, payload) => {
      if (type === frameType.hello) return version.hello(payload);
      return type === frameType.message ? answer(version, endpoints.get(stream), payload) : payload;
    });
    for (const socket of [gateway, worker]) sockets.add(socket);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: `unix:${path}`,
    called,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      rmSync(path, { force: true });
    },
  };
}

/** Vectors are short here, and arrive in one message. */
function answer(version: OtherVersion, endpoint: string | undefined, payload: Uint8Array): Uint8Array {
  if (endpoint === "embed") return version.message(EmbedResponseSchema, payload);
  const event = endpoint === "kv_events" ? readKvMessage(payload) : undefined;
  if (event?.kind !== messageKind.hello) return payload;
  return encodeMessage(event.kind, event.sequence, version.message(KvEventsHelloSchema, event.payload));
}

type Rewrite = (type: number, stream: number, payload: Uint8Array) => Uint8Array;

function relay(from: Socket, to: Socket, rewrite: Rewrite): void {
  const parser = new FrameParser(
    {
      onFrame(type, stream, payload) {
        const changed = rewrite(type, stream, payload);
        const frame = new Uint8Array(headBytes + changed.length);
        putUint32(frame, 0, changed.length);
        frame[4] = type;
        putUint32(frame, 5, stream);
        frame.set(changed, headBytes);
        to.write(frame);
      },
    },
    1_000_000,
  );
  from.on("data", (chunk) => parser.push(chunk));
  from.on("error", () => to.destroy());
  from.on("close", () => to.destroy());
}
