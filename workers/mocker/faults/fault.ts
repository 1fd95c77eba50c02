import { z } from "zod";
import type { KvEvent, Logger, Random } from "#runtime";
import type { Delta } from "../../engine.ts";

/** An injected fault of a mock engine, which does one or more of these. */
export interface Fault {
  /** Wraps a request's answer. Called in the order of arrival. */
  answer?(deltas: AsyncIterable<Delta>, signal: AbortSignal): AsyncIterable<Delta>;
  /** Factor on the time of the next step. */
  stepFactor?(): number;
  /** Runs before a prompt's KV is exported. */
  beforeExport?(signal: AbortSignal): Promise<void>;
  /** Runs when KV has been imported; throws if it cannot be used. */
  afterImport?(signal: AbortSignal): Promise<void>;
  /** Replaces a step's events. */
  events?(events: KvEvent[], dataParallelRank: number): KvEvent[];
}

/** The context of a fault. */
export interface FaultContext {
  random: Random;
  log: Logger;
  /** Kills the process. */
  crash(): void;
}

/** One kind of fault: its parameters, named as in `--fault`, and its behaviour. */
export interface FaultKind<Parameters = unknown> {
  readonly parameters: z.ZodObject & z.ZodType<Parameters>;
  create(parameters: Parameters, context: FaultContext): Fault;
}

export const defineFault = <Parameters>(kind: FaultKind<Parameters>): FaultKind<Parameters> => kind;

/** A share from 0 to 1. */
export const share = z.coerce.number().min(0).max(1);

/** A whole number from 0. */
export const count = z.coerce.number().int().min(0);

/** Which requests a fault hits, and after how many tokens of the answer. */
export const whichRequests = {
  rate: share.default(1),
  "after-requests": count.default(0),
  "after-tokens": count.default(0),
};

/** Decides for each request whether the fault hits: never for the first ones, and for a share of the others. */
export function hits(
  { rate, "after-requests": spared }: { rate: number; "after-requests": number },
  random: Random,
): () => boolean {
  let requests = 0;
  return () => ++requests > spared && random() < rate;
}
