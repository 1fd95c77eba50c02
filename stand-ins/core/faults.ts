import { z } from "zod";
import { speechSchema } from "./speech.ts";

/** Injected faults and unusual behavior, in effect from one `POST /stand-in/faults` until the next. */
export const faultsSchema = z.strictObject({
  /** Answers this share of requests with this status, evenly: the last of each 1 / share requests. */
  status: z.number().int().min(400).max(599).optional(),
  share: z.number().min(0).max(1).default(1),
  /** Accepts the request and never answers. */
  hangBeforeHead: z.boolean().default(false),
  /** Stalls after this many tokens of an answer, until other faults are set. */
  hangAfterTokens: z.number().int().nonnegative().optional(),
  /** Closes the connection after this many chunks of a streamed answer. */
  closeAfterChunks: z.number().int().nonnegative().optional(),
  /** Ends the process after this many tokens of an answer. */
  crashAfterTokens: z.number().int().nonnegative().optional(),
  /** Answers with bytes that are not HTTP. */
  garbageHttp: z.boolean().default(false),
  /** Inserts a chunk that is not JSON after the first chunk of a streamed answer. */
  garbageSse: z.boolean().default(false),
  /** Answers with a gigabyte of spaces. */
  endlessBody: z.boolean().default(false),
  /** Ends the process at once. */
  crash: z.boolean().default(false),
  /** Milliseconds before the answer begins. */
  delayMs: z.number().nonnegative().default(0),
  /** How streamed answers are formatted. */
  speech: speechSchema.prefault({}),
  /** Whether only requests that generate tokens are affected, or all. */
  on: z.enum(["generate", "all"]).default("generate"),
});

export type Faults = z.output<typeof faultsSchema>;

export const NO_FAULTS: Faults = faultsSchema.parse({});
