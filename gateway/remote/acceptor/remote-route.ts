import type { Member } from "../../models/members/member.ts";
import type { Plan } from "../../routing/plan.ts";
import type { Route, RouteOutcome } from "../../routing/route.ts";
import type { AcceptorChannel } from "../messages.ts";

/** A route whose load is booked in the router process, to which its progress is reported. */
export class RemoteRoute implements Route<Member> {
  readonly worker: Member;
  readonly rank: number;
  readonly overlapBlocks: number;
  readonly plan: Plan<Member> = { decode: this };
  readonly #channel: AcceptorChannel;
  readonly #id: number;
  #isFree = false;

  constructor(channel: AcceptorChannel, id: number, worker: Member, rank: number, overlapBlocks: number) {
    this.#channel = channel;
    this.#id = id;
    this.worker = worker;
    this.rank = rank;
    this.overlapBlocks = overlapBlocks;
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
