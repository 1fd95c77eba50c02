import type { CopiedRank } from "../routing/cache/index-copies.ts";
import type { ModelRouter } from "../routing/model-router.ts";
import type { Member } from "./members/member.ts";

/** A model whose router is in this process, as far as handing over what it knows needs it. */
export interface WarmModel {
  readonly name: string;
  /** Tokens per block. */
  readonly blockSize: number;
  /** Whether KV events or workers have confirmed the block size. */
  readonly isBlockSizeConfirmed: boolean;
  readonly router: ModelRouter<Member>;
  /** Follows the member's KV events, or predicts its cache, whichever is right for it. */
  updateMode(member: Member): void;
  /** Starts over with another block size. */
  resize(blockSize: number): void;
  /** Forgets what one of the member's ranks has cached. */
  clear(member: Member, rank: number): void;
}

/** Takes over what other gateways know of the caches of members that join a gateway that has just started. */
export interface WarmStart {
  /**
   * Takes over what is known of a member that has joined the model; for the same member once, however often it is
   * called.
   * @returns undefined if nothing can be taken over. Otherwise resolves when the model's router has it, with the
   *   member's ranks in the other gateway's copy of the index; empty if it was not to be had in time
   */
  take(model: WarmModel, member: Member): Promise<readonly CopiedRank[]> | undefined;
  /** Whether something of the model is being taken over. */
  isWarming(model: string): boolean;
}
