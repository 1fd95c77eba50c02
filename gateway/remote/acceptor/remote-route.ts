import type { Member } from "../../models/members/member.ts";
import type { PrefillHereReason } from "../../routing/disaggregation/options.ts";
import type { Assignment, Plan, PrefillPart } from "../../routing/plan.ts";
import type { Route, RouteOutcome } from "../../routing/route.ts";
import type { AcceptorChannel } from "../messages.ts";

/** A route whose load is booked in the router process, to which its progress is reported. */
export class RemoteRoute implements Route<Member> {
  readonly worker: Member;
  readonly rank: number;
  readonly overlapBlocks: number;
  plan: Plan<Member>;
  readonly #channel: AcceptorChannel;
  readonly #id: number;
  #isFree = false;

  constructor(
    channel: AcceptorChannel,
    id: number,
    { worker, rank, overlapBlocks }: Assignment<Member>,
    prefill?: Assignment<Member>,
    prefillHere?: PrefillHereReason,
  ) {
    this.#channel = channel;
    this.#id = id;
    this.worker = worker;
    this.rank = rank;
    this.overlapBlocks = overlapBlocks;
    this.plan = { decode: this, prefill: prefill && new RemotePrefill(channel, id, prefill), prefillHere };
  }

  prefillHere(): void {
    this.plan = { decode: this, prefillHere: "failed" };
    this.#channel.send({ type: "prefill-here", id: this.#id });
  }

  firstToken(): void {
    this.#channel.send({ type: "first-token", id: this.#id });
  }

  grow(blocks: number): void {
    this.#channel.send({ type: "grow", id: this.#id, blocks });
  }

  report(cachedTokens: number): void {
    this.#channel.send({ type: "report", id: this.#id, cachedTokens });
  }

  free(outcome: RouteOutcome): void {
    if (this.#isFree) return;
    this.#isFree = true;
    this.#channel.send({ type: "free", id: this.#id, outcome });
  }
}

class RemotePrefill implements PrefillPart<Member> {
  readonly worker: Member;
  readonly rank: number;
  readonly overlapBlocks: number;
  readonly #channel: AcceptorChannel;
  readonly #id: number;

  constructor(channel: AcceptorChannel, id: number, { worker, rank, overlapBlocks }: Assignment<Member>) {
    this.#channel = channel;
    this.#id = id;
    this.worker = worker;
    this.rank = rank;
    this.overlapBlocks = overlapBlocks;
  }

  computed(cachedTokens: number | undefined, microseconds: number): void {
    this.#channel.send({ type: "prefill-computed", id: this.#id, cachedTokens, microseconds });
  }

  transferred(microseconds: number | undefined): void {
    this.#channel.send({ type: "prefill-transferred", id: this.#id, microseconds });
  }

  free(): void {
    this.#channel.send({ type: "prefill-free", id: this.#id });
  }
}
