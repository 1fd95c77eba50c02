import type { MediumToEncode } from "#runtime";
import type { Encoded } from "#workers";
import { MEDIUM_TOKENS, Seer } from "./seer.ts";

/** A seer that encodes media for others: its features say what it got. */
export class Painter extends Seer {
  readonly roles = ["encode"] as const;
  /** Ids of the media that it has encoded, in their order. */
  readonly encoded: string[] = [];
  /** Waits before it encodes. */
  encodeGate: Promise<void> = Promise.resolve();
  /** What it does in place of encoding. */
  refusal: string | undefined;
  isBroken = false;
  /** Called when it begins to encode, and when it is cancelled. */
  onEncode: () => void = () => {};
  onEncodeCancelled: () => void = () => {};

  async encode(media: readonly MediumToEncode[], signal: AbortSignal): Promise<readonly Encoded[]> {
    signal.addEventListener("abort", () => this.onEncodeCancelled());
    this.encoded.push(...media.map(({ id }) => id));
    this.onEncode();
    await this.encodeGate;
    if (this.isBroken) throw new Error("The brush is broken.");
    return media.map(({ kind, type, data }) =>
      this.refusal === undefined
        ? {
            kind: "features",
            features: new TextEncoder().encode(`painted ${kind} ${type} ${data.length}`),
            tokens: MEDIUM_TOKENS,
          }
        : { kind: "refused", message: this.refusal },
    );
  }
}
