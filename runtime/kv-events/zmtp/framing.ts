/**
 * ZMTP 3.0 and 3.1 (ZeroMQ RFCs 23 and 37) without encryption: the greeting, the NULL mechanism's READY, messages of
 * frames, subscriptions, and heartbeats. This file writes; `frame-reader.ts` reads.
 */

export type SocketType = "PUB" | "SUB" | "ROUTER" | "DEALER";

export const GREETING_BYTES = 64;

/** Bits of a frame's first byte; the others are zero. */
export const MORE = 1;
export const LONG = 2;
export const COMMAND = 4;

/** First byte of a subscription's message; 3.1 has commands of these names too. */
export const SUBSCRIBE = 1;
export const CANCEL = 0;

/** The greeting: signature, version, mechanism. */
export function greeting(): Buffer {
  const bytes = Buffer.alloc(GREETING_BYTES);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  bytes.write("NULL", 12, "latin1");
  return bytes;
}

/** Sends this socket's type to the peer. */
export function readyCommand(type: string): Buffer {
  const property = (name: string, value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return [Buffer.from([name.length]), Buffer.from(name, "latin1"), length, Buffer.from(value, "latin1")];
  };
  const properties = [...property("Socket-Type", type), ...property("Identity", "")];
  return command("READY", Buffer.concat(properties));
}

/** Refuses the connection, instead of READY. */
export function errorCommand(reason: string): Buffer {
  const text = Buffer.from(reason, "latin1").subarray(0, 255);
  return command("ERROR", Buffer.concat([Buffer.from([text.length]), text]));
}

/** Subscribes to all topics with this prefix; as a message, which every release understands. */
export const subscription = (topic: string) =>
  frame(Buffer.concat([Buffer.from([SUBSCRIBE]), Buffer.from(topic)]), 0);

/** A heartbeat request. */
export const pingCommand = () => command("PING", Buffer.from([0, 0]));

/** A heartbeat reply. @param context the bytes after the two-byte TTL of the ping */
export const pongCommand = (context: Uint8Array) => command("PONG", context);

export function message(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.map((body, index) => frame(body, index < frames.length - 1 ? MORE : 0)));
}

export function command(name: string, data: Uint8Array): Buffer {
  return frame(Buffer.concat([Buffer.from([name.length]), Buffer.from(name, "latin1"), data]), COMMAND);
}

/** The size of a frame with a body of this length. */
export const frameBytes = (length: number) => frameHeadBytes(length) + length;

export const frameHeadBytes = (length: number) => (length <= 255 ? 2 : 9);

/** Writes a frame's header; returns the offset of the body. */
export function writeHead(bytes: Buffer, at: number, length: number, flags: number): number {
  if (length <= 255) {
    bytes[at] = flags;
    bytes[at + 1] = length;
    return at + 2;
  }
  bytes[at] = flags | LONG;
  bytes.writeUInt32BE(Math.floor(length / 2 ** 32), at + 1);
  bytes.writeUInt32BE(length % 2 ** 32, at + 5);
  return at + 9;
}

function frame(body: Uint8Array, flags: number): Buffer {
  const bytes = Buffer.allocUnsafe(frameBytes(body.length));
  bytes.set(body, writeHead(bytes, 0, body.length, flags));
  return bytes;
}
