import { ApiError } from "../../kernel/errors.ts";
import { type Eventually, whenThere } from "../../kernel/eventually.ts";
import { jsonOf } from "../../kernel/json.ts";
import { engineErrorOf, errorStatusOf } from "../../requests/wire/engine-error.ts";
import { isDone, readEvents } from "../../requests/wire/event-text.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import type { AnswerFormat } from "../openai/format.ts";
import { ChatEvents, chatAnswerOf } from "./chat-answer.ts";
import { inOwnWords } from "./field-names.ts";
import { RewrittenReply } from "./rewritten-reply.ts";
import type { Translation } from "./translation.ts";

/** How an engine's chat completion becomes an answer of another API. */
export interface ReplyTranslation
  extends Pick<Translation, "quoted" | "errorBody" | "fieldNames" | "shorter"> {
  readonly format: AnswerFormat;
  /** Used if the engine reports no usage. */
  readonly promptTokens: number;
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
  readonly #fieldNames: Translation["fieldNames"];
  readonly #decoder = new TextDecoder();
  /** Whether an error has ended the answer. */
  #hasFailed = false;

  constructor(reply: WireReply, { format, promptTokens, quoted, fieldNames }: ReplyTranslation) {
    super(reply);
    this.#format = format;
    this.#fieldNames = fieldNames;
    this.#events = new ChatEvents(format, promptTokens, quoted);
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
      const error = errorOf(jsonOf(data), name, this.#fieldNames);
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
    const { format, promptTokens, quoted, errorBody, fieldNames } = this.#translation;
    const body = jsonOf(this.#text);
    const answer = this.#status < 300 ? chatAnswerOf(body, promptTokens, quoted) : undefined;
    if (answer !== undefined) return format.whole([answer.choice], answer.usage);
    return errorBody(errorOf(body, "error", fieldNames, this.#status) ?? unreadable(this.#status));
  }
}

/**
 * An engine's error, with its own code and, in the client's words, the field that it blames.
 * @param status of the answer, if it has one of its own
 * @returns undefined if the value is none
 */
function errorOf(
  value: unknown,
  name: string,
  fieldNames: Translation["fieldNames"],
  status = errorStatusOf(value, name),
): ApiError | undefined {
  if (status === undefined) return undefined;
  return inOwnWords(engineErrorOf(value, status, "The engine failed to answer."), fieldNames);
}

const unreadable = (status: number) =>
  new ApiError(status, "server_error", "The engine's answer cannot be read.", { code: "engine_error" });
