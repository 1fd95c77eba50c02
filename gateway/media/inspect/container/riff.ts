import type { HeaderBytes } from "../bytes.ts";

/** A chunk of RIFF or of a list inside (Microsoft and IBM, "Multimedia Programming Interface and Data Specifications"). */
export interface Chunk {
  readonly type: string;
  /** Offset of its data. */
  readonly body: number;
  /** Bytes of data that it claims, which may be more than there are. */
  readonly length: number;
}

/** Most chunks that are looked at in one list. */
const MAX_CHUNKS = 200;

/** The chunks between two offsets. Each begins at an even distance from its list's start. */
export function* chunksIn(
  bytes: HeaderBytes,
  from: number,
  to: number,
  isLittleEndian = true,
): Generator<Chunk> {
  let at = from;
  for (let index = 0; index < MAX_CHUNKS && at + 8 <= to && bytes.has(at, 8); index += 1) {
    const length = bytes.u32(at + 4, isLittleEndian);
    yield { type: bytes.text(at, 4), body: at + 8, length };
    at += 8 + length + (length & 1);
  }
}
