import { type Logger, messageOf, PlaneError, type ServerCall } from "#runtime";
import type { WarmModel } from "../models/warm-start.ts";
import { decodeIndexRequest, encodeIndexMessage, type IndexMessage } from "./index-message.ts";

/** The endpoint that sends what a gateway knows of a model's caches. */
export const INDEX_ENDPOINT = "gateway_index";

/** Bytes of the snapshot's pieces, one of which is made in a turn of the event loop: about 0.2 ms. */
const PIECE_BYTES = 128 * 1024;
/** Longest time for a copy, during which the router keeps what changes twice. */
const LIMIT_MS = 30_000;

export interface IndexServerOptions {
  /** The model of this name. */
  modelOf(name: string): WarmModel | undefined;
  /** Whether this gateway is still taking over the model's index itself. */
  isWarming(name: string): boolean;
  /** Runs a function once the current turn of the event loop is over. */
  defer(run: () => void): void;
  readonly log: Logger;
}

/** Sends copies of models' indexes to gateways that have just started. */
export class IndexServer {
  readonly #options: IndexServerOptions;
  /** Ends with the last copy: there is one at a time, because a router can only make one. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: IndexServerOptions) {
    this.#options = options;
  }

  /** Answers a call, when those before it have been answered. */
  readonly handle = (payload: Uint8Array, call: ServerCall): Promise<void> => {
    const name = decodeIndexRequest(payload);
    this.#last = this.#last.then(() => this.#answer(name, call));
    return this.#last;
  };

  async #answer(name: string, call: ServerCall): Promise<void> {
    const { modelOf, isWarming, log } = this.#options;
    if (call.signal.aborted) return;
    const model = modelOf(name);
    if (model === undefined || isWarming(name)) {
      call.fail(new PlaneError("overloaded", "This gateway does not know the model's caches."));
      return;
    }
    const timer = setTimeout(() => call.fail(tooLong()), LIMIT_MS);
    try {
      await this.#send(model, call, performance.now() + LIMIT_MS);
      call.end();
    } catch (error) {
      log.warn("cannot send an index to another gateway", { model: name, reason: messageOf(error) });
      call.fail(new PlaneError("internal", messageOf(error)));
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(model: WarmModel, call: ServerCall, until: number): Promise<void> {
    const { blockSize, isBlockSizeConfirmed, router } = model;
    const send = (message: IndexMessage) => this.#sendOne(call, message, until);
    const { ranks, first, rest, predictionsOf } = router.copies.copy(PIECE_BYTES);
    try {
      let isWanted = await send({ kind: "head", head: { blockSize, isBlockSizeConfirmed, ranks } });
      if (!isWanted) return;
      // Without engines' events there is nothing in the snapshot that workers do not send themselves.
      if (ranks.some(({ position }) => position !== undefined)) {
        isWanted = await send({ kind: "snapshot", piece: first });
        for (const piece of rest) {
          if (!isWanted) return;
          isWanted = await send({ kind: "snapshot", piece });
        }
      }
    } finally {
      rest.return();
    }
    for (const { index } of ranks) {
      const predictions = predictionsOf(index);
      if (predictions === undefined) continue;
      if (!(await send({ kind: "predicted", index, predictions }))) return;
    }
  }

  /** Resolves in another turn of the event loop, when there is room for more: with whether it is still wanted. */
  async #sendOne(call: ServerCall, message: IndexMessage, until: number): Promise<boolean> {
    if (!call.send(encodeIndexMessage(message))) await call.writable();
    await new Promise<void>((resolve) => this.#options.defer(resolve));
    return !call.signal.aborted && performance.now() < until;
  }
}

const tooLong = () => new PlaneError("overloaded", `The index was not read within ${LIMIT_MS / 1000} s.`);
