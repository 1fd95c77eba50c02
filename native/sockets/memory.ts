import { read, write } from "node:fs";
import { promisify } from "node:util";
import type { DriverMemory } from "../driver.ts";
import { TransferError } from "../errors.ts";
import type { FileSource, Range } from "../transfer.ts";
import { checkRanges } from "../wire/ranges.ts";

const readFile = promisify(read);
const writeFile = promisify(write);

/** A buffer or file that sockets can serve and fill. */
export class SocketMemory implements DriverMemory {
  /** The key in the descriptor is enough. */
  readonly token = new Uint8Array();
  readonly #source: Buffer | FileSource;
  readonly #length: number;
  readonly #onRelease: () => void;

  constructor(source: Buffer | FileSource, onRelease: () => void) {
    this.#source = source;
    this.#length = source.length;
    this.#onRelease = onRelease;
  }

  /** Buffers with these pieces' content: views of the memory itself if it is a buffer. @throws TransferError */
  async load(pieces: readonly Range[]): Promise<Buffer[]> {
    const targets = this.targets(pieces);
    if (this.#source instanceof Uint8Array) return targets;
    const { fd } = this.#source;
    for (const [index, { offset }] of pieces.entries()) {
      const target = targets[index]!;
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await readFile(fd, target, done, target.length - done, offset + done);
        if (bytesRead === 0) throw new TransferError("failed", "The registered file has become shorter.");
        done += bytesRead;
      }
    }
    return targets;
  }

  /** Buffers for these pieces' new content; `save` completes the change. @throws TransferError */
  targets(pieces: readonly Range[]): Buffer[] {
    checkRanges(pieces, this.#length);
    const source = this.#source;
    if (!(source instanceof Uint8Array)) return pieces.map(({ length }) => Buffer.allocUnsafe(length));
    if (source.length !== this.#length)
      throw new TransferError("refused", "The registered buffer has been detached.");
    return pieces.map(({ offset, length }) => source.subarray(offset, offset + length));
  }

  async save(pieces: readonly Range[], targets: readonly Buffer[]): Promise<void> {
    if (this.#source instanceof Uint8Array) return;
    for (const [index, { offset }] of pieces.entries())
      await writeFile(this.#source.fd, targets[index]!, 0, targets[index]!.length, offset);
  }

  release(): void {
    this.#onRelease();
  }
}

/** Cuts pieces into steps of at most `bytes` and `count` pieces. */
export function cutIntoSteps<P extends { readonly length: number }>(
  pieces: readonly P[],
  bytes: number,
  count: number,
  cut: (piece: P, start: number, length: number) => P,
): P[][] {
  const steps: P[][] = [[]];
  let room = bytes;
  for (const piece of pieces) {
    for (let start = 0; start < piece.length; ) {
      if (room === 0 || steps.at(-1)!.length === count) {
        steps.push([]);
        room = bytes;
      }
      const length = Math.min(room, piece.length - start);
      steps.at(-1)!.push(cut(piece, start, length));
      start += length;
      room -= length;
    }
  }
  return steps;
}
