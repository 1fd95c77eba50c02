import { putUint32, uint32 } from "./frame.ts";
import { PlaneError, planeErrorCodes } from "./types.ts";

/** The supported version of the wire format. */
export const protocolVersion = 1;
/** Longest payload accepted from a peer before its `hello`: an error's message must fit. */
export const maxHelloBytes = 1024;

const magic = 0x52545453; // "STTR"
/** Without the interval of pings, which older peers do not send. */
const shortHelloBytes = 10;
/** Without flags. */
const helloBytes = 14;
const flaggedHelloBytes = 18;
const goodbyeFlag = 1;

/** What a peer says about itself in its `hello`. */
export interface Hello {
  /** Longest payload that the peer accepts, in bytes. */
  readonly maxMessageBytes: number;
  /** Milliseconds between its pings; 0 if it sends none. */
  readonly pingMs: number;
  /** Whether it understands `goodbye`. Default false. */
  readonly knowsGoodbye?: boolean;
}

/** The payload of `hello`. */
export function encodeHello(
  { maxMessageBytes, pingMs, knowsGoodbye = false }: Hello,
  version = protocolVersion,
): Uint8Array {
  const payload = new Uint8Array(knowsGoodbye ? flaggedHelloBytes : helloBytes);
  putUint32(payload, 0, magic);
  payload[4] = version;
  payload[5] = version >>> 8;
  putUint32(payload, 6, maxMessageBytes);
  putUint32(payload, 10, pingMs);
  if (knowsGoodbye) putUint32(payload, 14, goodbyeFlag);
  return payload;
}

/**
 * Decodes a `hello`.
 *
 * @throws PlaneError `invalid_request` if the peer speaks another protocol or version
 */
export function decodeHello(payload: Uint8Array): Hello {
  if (payload.length < shortHelloBytes || uint32(payload, 0) !== magic) {
    throw new PlaneError("invalid_request", "The peer does not speak Stator's request plane.");
  }
  const version = (payload[4] as number) | ((payload[5] as number) << 8);
  if (version !== protocolVersion) {
    const advice = version > protocolVersion ? "update this side" : "update the peer";
    throw new PlaneError(
      "invalid_request",
      `The peer speaks version ${version} of the request plane and this side version ${protocolVersion}: ${advice}.`,
    );
  }
  const flags = payload.length < flaggedHelloBytes ? 0 : uint32(payload, 14);
  return {
    maxMessageBytes: uint32(payload, 6),
    pingMs: payload.length < helloBytes ? 0 : uint32(payload, 10),
    knowsGoodbye: (flags & goodbyeFlag) !== 0,
  };
}

/** The payload of an `error` frame. */
export function encodeError(error: PlaneError): Uint8Array {
  const medium = error.medium === undefined ? "" : `\0${error.medium}`;
  const sentence = new TextEncoder().encode(error.message.slice(0, maxSentence) + medium);
  const payload = new Uint8Array(1 + sentence.length);
  payload[0] = planeErrorCodes.indexOf(error.code);
  payload.set(sentence, 1);
  return payload;
}

/** Decodes an `error` frame; an unknown code becomes `internal`. */
export function decodeError(payload: Uint8Array): PlaneError {
  const code = planeErrorCodes[payload[0] ?? -1] ?? "internal";
  const [message, medium] = new TextDecoder().decode(payload.subarray(1)).split("\0");
  return new PlaneError(code, message ?? "", { medium: medium === undefined ? undefined : Number(medium) });
}

/** In characters of at most three UTF-8 bytes each, so that it fits any peer's limit. */
const maxSentence = 300;
