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
  /** Whether the first chunk of a streamed chat is the role alone. */
  readonly roleDelta: Readonly<Record<string, unknown>>;
  /** Whether the finish reason comes in a chunk of its own, or with the last token. */
  readonly finishesApart: boolean;
  newId(surface: Surface, requestId: string | undefined): string;
  /** Further fields of each chunk, and of a whole answer. */
  readonly chunkFields: Readonly<Record<string, unknown>>;
  readonly answerFields: Readonly<Record<string, unknown>>;
  /** Further fields of a choice, with its finish or while there is none. */
  choiceFields(surface: Surface, finish: Finish | undefined): Readonly<Record<string, unknown>>;
  readonly deltaFields: Readonly<Record<string, unknown>>;
  readonly messageFields: Readonly<Record<string, unknown>>;
  usage(usage: Usage): Readonly<Record<string, unknown>>;
  /** What is wrong with a request, as the engine would say it; undefined where nothing is. */
  judge(request: OpenAiRequest): Reply | undefined;
  malformed(message: string): Reply;
}
