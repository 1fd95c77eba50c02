import { z } from "zod";
import { speechSchema } from "./speech.ts";

/** What can be made to go wrong, or otherwise than usual, from `POST /stand-in/faults` on until the next. */
export const faultsSchema = z.strictObject({
  /** Answers with this status, for this share of requests: evenly, the last of each 1 / share of them. */
  status: z.number().int().min(400).max(599).optional(),
  share: z.number().min(0).max(1).default(1),
  /** Takes the request and never answers. */
  hangBeforeHead: z.boolean().default(false),
  /** Falls silent after so many tokens of an answer, until other faults are set. */
  hangAfterTokens: z.number().int().nonnegative().optional(),
  /** Closes the connection after so many chunks of a streamed answer. */
  closeAfterChunks: z.number().int().nonnegative().optional(),
  /** Ends the process after so many tokens of an answer. */
  crashAfterTokens: z.number().int().nonnegative().optional(),
  /** Answers with bytes that are no HTTP. */
  garbageHttp: z.boolean().default(false),
  /** Puts a chunk that is no JSON after the first of a streamed answer. */
  garbageSse: z.boolean().default(false),
  /** Answers with a gigabyte of spaces. */
  endlessBody: z.boolean().default(false),
  /** Ends the process at once. */
  crash: z.boolean().default(false),
  /** Milliseconds before anything of an answer. */
  delayMs: z.number().nonnegative().default(0),
  /** How streamed answers are written. */
  speech: speechSchema.prefault({}),
  /** Strikes requests for tokens alone, or for everything. */
  on: z.enum(["generate", "all"]).default("generate"),
});

export type Faults = z.output<typeof faultsSchema>;

export const NO_FAULTS: Faults = faultsSchema.parse({});
