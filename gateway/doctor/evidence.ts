import type { KvStoredEvent } from "#runtime";
import type { EngineAdapter, EngineModel, EngineProfile, KvEventOrigin } from "../engines/types.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import type { MediaEvidence } from "./test-media.ts";
import type { TestAnswer, TestPrompt } from "./test-prompt.ts";

/** What was observed of one engine; `evaluate` interprets it. */
export interface Evidence {
  readonly name: string;
  readonly spec: EngineSpec;
  readonly adapter: EngineAdapter;
  readonly profile: EngineProfile;
  readonly model: EngineModel;
  readonly sources: readonly KvEventOrigin[];
  /** Tokens per block: from its KV events, if one came; otherwise the configured size. */
  readonly blockSize: number;
  /** The size given by its operator, or else reported by the engine, or else the default. */
  readonly configuredBlockSize: number;
  readonly reader: PromptReader;
  readonly prompt: TestPrompt;
  /** Whether it answers only together with an engine of another role, and was therefore sent no test request. */
  readonly isHalf: boolean;
  /** Why the test request was not answered. */
  readonly failure: string | undefined;
  readonly first: TestAnswer | undefined;
  readonly second: TestAnswer | undefined;
  /** Prompt tokens served from its cache for the second request, according to its metrics. */
  readonly countedHits: number | undefined;
  /** The prompt as tokenized by the engine itself, if it offers that. */
  readonly engineTokens: Uint32Array | undefined;
  /** Identifies its tokenizer; see `fingerprintOf`. */
  readonly fingerprint: string | undefined;
  /** Undefined if pictures could not be examined: without KV events or its tokenizer. */
  readonly media?: MediaEvidence | undefined;
  /** Undefined if the engine has no event stream. */
  readonly events:
    | {
        readonly isConnected: boolean;
        readonly batches: number;
        readonly stored: readonly KvStoredEvent[];
        /** The problems with events that could not be read. */
        readonly unreadable: readonly string[];
        /** Whole blocks of the prompt that a router knows from the events. */
        readonly knownBlocks: number;
        /** How long the doctor waited for events, in seconds. */
        readonly waitedSeconds: number;
      }
    | undefined;
}
