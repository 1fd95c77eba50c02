import { ApiError } from "../../kernel/errors.ts";
import { type Eventually, whenThere } from "../../kernel/eventually.ts";
import { jsonOf } from "../../kernel/json.ts";
import { errorMessageOf, errorStatusOf } from "../../requests/wire/engine-error.ts";
import { isDone, readEvents } from "../../requests/wire/event-text.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { AnswerFormat } from "../openai/format.ts";
import { ChatEvents, chatAnswerOf } from "./chat-answer.ts";
import { RewrittenReply } from "./rewritten-reply.ts";

/** How an engine's chat completion becomes an answer of another API. */
export interface ReplyTranslation {
  readonly format: AnswerFormat;
  /** Used if the engine reports no usage. */
  readonly promptTokens: number;
  /** The body of an engine's error, in the client's API. */
  errorBody(error: ApiError): object;
}

/**
 * Replies with the translation of an engine's chat completion.
 * @param open starts the reply to the client
 */
export function translatedReply(
  head: HttpHead,
  translation: ReplyTranslation,
  open: (head: HttpHead) => WireReply,
): WireReply {
  const isStream = head.isEventStream && head.status < 300;
  const type = ["content-type", isStream ? "text/event-stream; charset=utf-8" : "application/json"] as const;
  const kept = head.headers.filter(([name]) => name !== "content-type" && name !== "content-length");
  const reply = open({ ...head, headers: [...kept, type], contentLength: undefined, hasBody: true });
  return isStream
    ? new TranslatedStream(reply, translation)
    : new TranslatedBody(reply, head.status, translation);
}

class TranslatedStream extends RewrittenReply {
  readonly #format: AnswerFormat;
  readonly #events: ChatEvents;
  readonly #decoder = new TextDecoder();
  /** Whether an error has ended the answer. */
  #hasFailed = false;

  constructor(reply: WireReply, { format, promptTokens }: ReplyTranslation) {
    super(reply);
    this.#format = format;
    this.#events = new ChatEvents(format, promptTokens);
  }

  override end(): void {
    whenThere(this.#hasFailed ? "" : this.#events.end(), (last) => {
      if (last !== "") this.reply.writeText(last);
      this.reply.end();
    });
  }

  /** Every piece but the last consists of whole events. */
  protected override take(bytes: Uint8Array): boolean {
    let text = "";
    for (const { data, name } of readEvents(this.#decoder.decode(bytes, { stream: true }))) {
      if (this.#hasFailed || isDone(data)) continue;
      const error = errorOf(jsonOf(data), name);
      if (error === undefined) text += this.#events.read(data);
      else {
        this.#hasFailed = true;
        text += this.#format.error(error);
      }
    }
    return text === "" || this.reply.writeText(text);
  }
}

class TranslatedBody extends RewrittenReply {
  readonly #status: number;
  readonly #translation: ReplyTranslation;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(reply: WireReply, status: number, translation: ReplyTranslation) {
    super(reply);
    this.#status = status;
    this.#translation = translation;
  }

  override end(): void {
    whenThere(this.#translated(), (body) => {
      this.reply.writeText(JSON.stringify(body));
      this.reply.end();
    });
  }

  protected override take(bytes: Uint8Array): boolean {
    this.#text += this.#decoder.decode(bytes, { stream: true });
    return true;
  }

  #translated(): Eventually<object> {
    const { format, promptTokens, errorBody } = this.#translation;
    const body = jsonOf(this.#text);
    const answer = this.#status < 300 ? chatAnswerOf(body, promptTokens) : undefined;
    if (answer !== undefined) return format.whole([answer.choice], answer.usage);
    return errorBody(errorOf(body, "error", this.#status) ?? unreadable(this.#status));
  }
}

/** An engine's error; undefined if the value is none. @param status of the answer, if it has one of its own */
function errorOf(value: unknown, name: string, status = errorStatusOf(value, name)): ApiError | undefined {
  if (status === undefined) return undefined;
  const message = errorMessageOf(value) ?? "The engine failed to answer.";
  const type = status < 500 ? "invalid_request_error" : "server_error";
  return new ApiError(status, type, message, { code: "engine_error" });
}

const unreadable = (status: number) =>
  new ApiError(status, "server_error", "The engine's answer cannot be read.", { code: "engine_error" });
