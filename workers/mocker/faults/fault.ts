import { z } from "zod";
import type { KvEvent, Logger, Random } from "#runtime";
import type { Delta } from "../../engine.ts";

/** Something that goes wrong in a mock engine, on purpose. A fault does one or more of these. */
export interface Fault {
  /** Stands between the engine and the one who reads a request's answer. Called in the order of arrival. */
  answer?(deltas: AsyncIterable<Delta>, signal: AbortSignal): AsyncIterable<Delta>;
  /** Factor on the time of the next step. */
  stepFactor?(): number;
  /** What is published in place of a step's events. */
  events?(events: KvEvent[], dataParallelRank: number): KvEvent[];
}

/** What a fault works with. */
export interface FaultContext {
  random: Random;
  log: Logger;
  /** Ends the process without any good-bye. */
  crash(): void;
}

/** One kind of fault: its parameters, by the names that they have in `--fault`, and what it does. */
export interface FaultKind<Parameters = unknown> {
  readonly parameters: z.ZodObject & z.ZodType<Parameters>;
  create(parameters: Parameters, context: FaultContext): Fault;
}

export const defineFault = <Parameters>(kind: FaultKind<Parameters>): FaultKind<Parameters> => kind;

/** A share of all cases, 0 to 1. */
export const share = z.coerce.number().min(0).max(1);

/** A whole number from 0. */
export const count = z.coerce.number().int().min(0);

/** Which requests a fault strikes, and after how much of the answer. */
export const whichRequests = {
  rate: share.default(1),
  "after-requests": count.default(0),
  "after-tokens": count.default(0),
};

/** Decides, request by request, whether it is struck: the first ones are not, of the others a share is. */
export function strikes(
  { rate, "after-requests": spared }: { rate: number; "after-requests": number },
  random: Random,
): () => boolean {
  let requests = 0;
  return () => ++requests > spared && random() < rate;
}
