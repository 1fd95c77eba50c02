import type { Continuing, OpenAiRequest } from "./openai-request.ts";
import type { Reply } from "./server.ts";

export type Surface = "chat" | "completions";

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

/** How an answer ended. */
export interface Finish {
  readonly reason: "stop" | "length";
  /** The stop string that was met. */
  readonly stop: string | undefined;
}

/** What tells one engine's answers from another's. */
export interface Dialect {
  readonly continuing: Continuing;
  /** The first chunk's delta of a streamed chat. */
  readonly roleDelta: Readonly<Record<string, unknown>>;
  /** Whether the finish reason comes in a chunk of its own, or with the last token. */
  readonly finishesApart: boolean;
  newId(surface: Surface, requestId: string | undefined): string;
  /** Further fields of each chunk, of the one with the finish, and of a whole answer. */
  readonly chunkFields: Readonly<Record<string, unknown>>;
  finishFields(usage: Usage): Readonly<Record<string, unknown>>;
  answerFields(usage: Usage): Readonly<Record<string, unknown>>;
  /** Further fields of a choice, with its finish or while there is none. */
  choiceFields(surface: Surface, finish: Finish | undefined): Readonly<Record<string, unknown>>;
  readonly deltaFields: Readonly<Record<string, unknown>>;
  /** The delta of a finish that comes apart. */
  readonly finishDelta: Readonly<Record<string, unknown>>;
  readonly messageFields: Readonly<Record<string, unknown>>;
  usage(usage: Usage): Readonly<Record<string, unknown>>;
  /** What is wrong with a request, as the engine would say it; undefined where nothing is. */
  judge(request: OpenAiRequest): Reply | undefined;
  malformed(message: string): Reply;
}
