import type { HandoffDialect } from "./kv-handoff.ts";
import type { Continuing, OpenAiRequest } from "./openai-request.ts";
import type { StandInReply } from "./server.ts";

export type Surface = "chat" | "completions";

export interface TokenUsage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** How an answer ended. */
export interface Finish {
  readonly reason: "stop" | "length";
  /** The stop string that was generated. */
  readonly stop: string | undefined;
}

/** How one engine's answers differ from another's. */
export interface Dialect {
  readonly continuing: Continuing;
  /** Whether it takes media in chats. */
  readonly takesMedia?: boolean | undefined;
  /** The first chunk's delta of a streamed chat. */
  readonly roleDelta: Readonly<Record<string, unknown>>;
  /** Whether the finish reason has its own chunk, or is in the last token's. */
  readonly hasFinishChunk: boolean;
  newId(surface: Surface, requestId: string | undefined): string;
  /** Additional fields of each chunk, of the chunk with the finish reason, and of a complete answer. */
  readonly chunkFields: Readonly<Record<string, unknown>>;
  finishFields(usage: TokenUsage): Readonly<Record<string, unknown>>;
  answerFields(usage: TokenUsage): Readonly<Record<string, unknown>>;
  /** Additional fields of a choice; `finish` is undefined until it has finished. */
  choiceFields(surface: Surface, finish: Finish | undefined): Readonly<Record<string, unknown>>;
  readonly deltaFields: Readonly<Record<string, unknown>>;
  /** The delta of a separate finish chunk. */
  readonly finishDelta: Readonly<Record<string, unknown>>;
  readonly messageFields: Readonly<Record<string, unknown>>;
  usage(usage: TokenUsage): Readonly<Record<string, unknown>>;
  /** How it hands KV blocks to other engines; undefined if it does not. */
  readonly handoff?: HandoffDialect | undefined;
  /** What separates a request's cached KV from that of others; absent: `cache_salt`. */
  cacheSalt?(body: unknown): string | undefined;
  /** The engine's error for an invalid request; undefined if it is valid. */
  check(request: OpenAiRequest): StandInReply | undefined;
  malformed(message: string): StandInReply;
}
