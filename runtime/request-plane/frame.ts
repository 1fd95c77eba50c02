/**
 * The wire format. A connection carries frames both ways:
 *
 *     u32 payload length, u8 type, u32 stream, payload        (integers are little-endian)
 *
 * Streams are numbered by the client; stream 0 is the connection itself. Each side first sends `hello`.
 */
export const frameType = {
  /**
   * u32 magic, u16 version, u32 longest payload that the sender accepts, u32 milliseconds between its pings, u32 flags
   * (1: understands `goodbye`). Older peers leave out the last ones, and newer ones may add more.
   */
  hello: 1,
  /** Client: u32 window, u32 deadline in milliseconds (0: none), u8 length of the endpoint, endpoint, payload. */
  call: 2,
  /** Client: no payload. */
  cancel: 3,
  /** Client: u32 bytes added to the call's window. */
  credit: 4,
  /** Server: the message. */
  message: 5,
  /** Server: no payload. */
  end: 6,
  /**
   * u8 index into `planeErrorCodes`, the message in UTF-8, and for one of the request's media a 0 and its number in digits. On stream 0 it ends the connection. */
  error: 7,
  /** On stream 0, no payload: the sender is alive. Only sent to peers that ping too. */
  ping: 8,
  /**
   * Server, on stream 0, no payload: the last frame before an orderly end. Calls that have not ended were not begun.
   * Only sent to clients that understand it.
   */
  goodbye: 9,
} as const;

export const headBytes = 9;
/** Every message uses its bytes and its frame header from the window, so that empty ones are bounded too. */
export const messageCost = headBytes;
export const defaultWindowBytes = 256 * 1024;
export const defaultMaxMessageBytes = 64 * 1024 * 1024;

/** Reads a little-endian u32. */
export function uint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return low + (bytes[at + 3] as number) * 0x1000000;
}

/** Writes a little-endian u32. */
export function putUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
