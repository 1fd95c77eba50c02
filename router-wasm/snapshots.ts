import type { Core } from "./core.ts";
import { RouterError } from "./errors.ts";
import { integer } from "./options.ts";
import { contentOf, endPiece, headPiece, newPiece, type SnapshotHead, seal } from "./snapshot-format.ts";

/** Takes snapshots of a core, one at a time. */
export class Snapshots {
  readonly #core: Core;
  /** How many were started. */
  #started = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /**
   * The pieces of a snapshot, of the index as it is at the first one. Starting another one ends it.
   * Throws `bad_option`, `bad_snapshot` if another one was started, and `memory`.
   */
  *take(head: SnapshotHead, pieceBytes: number): Generator<Uint8Array<ArrayBuffer>, void> {
    const core = this.#core;
    const { exports } = core;
    integer("pieceBytes", pieceBytes, 1, 1 << 30);
    const serial = ++this.#started;
    exports.snapshotBegin();
    try {
      yield headPiece(core, head);
      let pieces = 1;
      for (;;) {
        if (serial !== this.#started) throw new RouterError("bad_snapshot", "Another snapshot was started.");
        const bytes = exports.snapshotNext(pieceBytes);
        if (bytes < 0) throw new RouterError("memory", "There is not enough memory for a snapshot.");
        if (bytes === 0) break;
        const piece = newPiece(pieces++, bytes);
        const area = exports.snapshotArea() >>> 0;
        contentOf(piece).set(core.u8.subarray(area, area + bytes));
        exports.snapshotTaken();
        yield seal(core, piece);
      }
      yield endPiece(core, pieces, exports.snapshotRuns());
    } finally {
      if (serial === this.#started) exports.snapshotEnd();
    }
  }
}
