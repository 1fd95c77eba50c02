import type { KvStoredEvent } from "#runtime";
import type { EngineAdapter, EngineModel, EngineProfile, KvEventSource } from "../engines/types.ts";
import type { EngineSpec } from "../models/members/engine-spec.ts";
import type { PromptReader } from "../prompts/prompt-reader.ts";
import type { TestPrompt } from "./test-prompt.ts";

/** What an engine answered to a test request. */
export interface TestAnswer {
  readonly promptTokens: number | undefined;
  /** Undefined where the answer does not say. */
  readonly cachedTokens: number | undefined;
}

/** What was seen of one engine; `judge` says what it means. */
export interface Evidence {
  readonly name: string;
  readonly spec: EngineSpec;
  readonly adapter: EngineAdapter;
  readonly profile: EngineProfile;
  readonly model: EngineModel;
  readonly sources: readonly KvEventSource[];
  /** Tokens in a block, as a gateway takes it: as the KV events say, where one came. */
  readonly blockSize: number;
  /** As its operator says, or else itself. */
  readonly toldBlockSize: number;
  readonly reader: PromptReader;
  readonly prompt: TestPrompt;
  /** Why the test request was not answered. */
  readonly failure: string | undefined;
  readonly first: TestAnswer | undefined;
  readonly second: TestAnswer | undefined;
  /** The engine's own count: prompt tokens that it took from its cache, between the two answers. */
  readonly countedHits: number | undefined;
  /** What the engine's own tokenizer makes of the prompt, where it can be asked. */
  readonly engineTokens: Uint32Array | undefined;
  /** To compare its tokenizer with other engines'; see `fingerprintOf`. */
  readonly fingerprint: string | undefined;
  /** Undefined where the engine has no stream of events to follow. */
  readonly events:
    | {
        readonly isConnected: boolean;
        readonly batches: number;
        readonly stored: readonly KvStoredEvent[];
        /** What is wrong with events that could not be read. */
        readonly unreadable: readonly string[];
        /** Whole blocks of the prompt that a router knows from the events. */
        readonly knownBlocks: number;
        /** How long they were waited for, in seconds. */
        readonly waitedSeconds: number;
      }
    | undefined;
}
