import { HeldBytes } from "../../wire/held-bytes.ts";
import type { HttpHead } from "../../wire/types.ts";
import type { Placement } from "../placement.ts";
import type { AnswerHooks } from "./client-reply.ts";

/** Longest refusal that is kept. */
const REFUSAL_BYTES = 64 * 1024;

/**
 * The last answer with which an engine refused the request, in case no engine has a better one. One that is too long
 * is not kept.
 */
export class KeptRefusal {
  readonly #hooks: AnswerHooks;
  readonly #held = new HeldBytes();
  /** The head of the refusal that is arriving. */
  #head: HttpHead | undefined;
  #isShort = true;
  #kept: { readonly head: HttpHead; readonly placement: Placement; readonly body: Uint8Array } | undefined;

  constructor(hooks: AnswerHooks) {
    this.#hooks = hooks;
  }

  get isKept(): boolean {
    return this.#kept !== undefined;
  }

  /** A refusal begins to arrive. */
  begin(head: HttpHead): void {
    this.#head = head;
    this.#isShort = true;
    this.#held.clear();
  }

  /** Copies a piece of its body. @returns whether the piece is still in use */
  take(wire: Uint8Array): false {
    this.#isShort &&= this.#held.length + wire.length <= REFUSAL_BYTES;
    if (this.#isShort) this.#held.add(wire);
    else this.#held.clear();
    return false;
  }

  /** The same for the last piece. */
  finish(wire: Uint8Array): false {
    this.take(wire);
    const body = this.#held.takeWith();
    if (this.#isShort) this.keep({ ...this.#head!, contentLength: body.length }, body);
    return false;
  }

  /** Keeps a whole refusal. */
  keep(head: HttpHead, body: Uint8Array): void {
    this.#kept = { head, placement: this.#hooks.placement(), body };
  }

  /** Sends it to the client. @returns its status */
  send(): number {
    const { head, placement, body } = this.#kept!;
    this.#hooks.reply(head, placement).finish(body, false);
    return head.status;
  }
}
