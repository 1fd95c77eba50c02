import type { MediumToEncode } from "#runtime";
import type { Encoded } from "#workers";
import { Seer } from "./seer.ts";

/** An engine that turns pictures into text: their size. */
export class Reader extends Seer {
  readonly roles = ["encode"] as const;
  /** How many pictures it has read. */
  read = 0;
  /** What it does in place of reading. */
  refusal: string | undefined;
  isTooLarge = false;
  isBroken = false;

  constructor(name: string) {
    super(name, { apis: [], role: "encode", media: ["image"], featureFormat: "text" });
  }

  async encode(media: readonly MediumToEncode[]): Promise<readonly Encoded[]> {
    if (this.isBroken) throw new Error("It has lost its glasses.");
    this.read += media.length;
    return media.map(({ data }) =>
      this.refusal === undefined
        ? { kind: "text", text: data.length === 0 ? "" : `${data.length} bytes` }
        : { kind: "refused", message: this.refusal, isTooLarge: this.isTooLarge },
    );
  }
}
