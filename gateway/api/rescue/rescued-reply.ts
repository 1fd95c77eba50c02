import { isRecord, jsonOf } from "../../kernel/json.ts";
import type { AnswerFormats } from "../../parsers/answer-parser.ts";
import { eventsIn, isDone, readEvents } from "../../requests/wire/event-text.ts";
import { HeldBytes } from "../../wire/held-bytes.ts";
import type { HttpHead, WireReply } from "../../wire/types.ts";
import { RewrittenReply } from "../translation/rewritten-reply.ts";
import { Rescuer, type Said } from "./rescuer.ts";

/**
 * Replies with an engine's chat completion, in which tool calls and reasoning that the engine has left in the text become
 * what they are. Everything else stays as it is, byte for byte.
 * @param open starts the reply to the client
 */
export function rescuedReply(
  head: HttpHead,
  formats: AnswerFormats,
  open: (head: HttpHead) => WireReply,
): WireReply {
  if (head.status >= 300 || head.isEncoded) return open(head);
  if (head.isEventStream) return new RescuedStream(open(head), formats);
  return new RescuedBody(open({ ...head, contentLength: undefined }), formats);
}

class RescuedStream extends RewrittenReply {
  readonly #formats: AnswerFormats;
  /** By index of the choice. */
  readonly #rescuers: Rescuer[] = [];
  readonly #unsure: UnsureEvents[] = [];
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** First bytes of the markers; undefined if they cannot be told from JSON's own. */
  readonly #markers: readonly number[] | undefined;
  /** Whether the engine parses its answers itself. */
  #isParsed = false;
  #isPassing = false;

  constructor(reply: WireReply, formats: AnswerFormats) {
    super(reply);
    this.#formats = formats;
    this.#markers = firstBytes(formats);
  }

  override get isHolding(): boolean {
    return this.#isPassing && this.reply.isHolding;
  }

  override write(wire: Uint8Array, isFramed: boolean): boolean {
    this.#isPassing = !this.#mustRead(wire);
    return this.#isPassing ? this.reply.write(wire, isFramed) : super.write(wire, isFramed);
  }

  override finish(wire: Uint8Array, isFramed: boolean): void {
    this.#isPassing = !this.#mustRead(wire);
    if (this.#isPassing) this.reply.finish(wire, isFramed);
    else super.finish(wire, isFramed);
  }

  override end(): void {
    const rest = this.#unsure.map((unsure) => unsure.take(true)).join("");
    if (rest !== "") this.reply.writeText(rest);
    this.reply.end();
  }

  protected override take(bytes: Uint8Array): boolean {
    let text = "";
    for (const event of eventsIn(this.#decoder.decode(bytes, { stream: true })))
      text += this.#rewritten(event);
    return text === "" || this.reply.writeText(text);
  }

  /** Whether there may be a marker in these events, or there has been one. */
  #mustRead(wire: Uint8Array): boolean {
    if (this.#isParsed) return false;
    if (this.#rescuers.length === 0 || !this.#rescuers.every((each) => each.isIdle)) return true;
    return this.#markers === undefined || this.#markers.some((byte) => wire.indexOf(byte) >= 0);
  }

  /** The event, or those that replace it, once it is known which. */
  #rewritten(event: string): string {
    if (this.#isParsed) return event;
    const [{ data } = { data: "" }] = readEvents(event);
    const chunk = data === "" || isDone(data) ? undefined : jsonOf(data);
    if (!isRecord(chunk) || !Array.isArray(chunk.choices)) return event;
    const choices: readonly unknown[] = chunk.choices;
    if (choices.length !== 1 || !isRecord(choices[0]) || !isRecord(choices[0].delta)) return event;
    return this.#read(event, chunk, choices[0], choices[0].delta);
  }

  #read(event: string, chunk: Fields, choice: Fields, delta: Fields): string {
    const { index, finish_reason: reason } = choice;
    const at = typeof index === "number" ? index : 0;
    this.#rescuers[at] ??= new Rescuer(this.#formats);
    this.#unsure[at] ??= new UnsureEvents();
    const [rescuer, unsure] = [this.#rescuers[at], this.#unsure[at]];
    this.#isParsed = isList(delta.tool_calls) || hasText(delta.reasoning_content) || hasText(delta.reasoning);
    const chunkWith = (fields: object) =>
      `data: ${JSON.stringify({ ...chunk, choices: [{ ...choice, finish_reason: null, logprobs: null, ...fields }] })}\n\n`;
    const chunksOf = (said: readonly Said[]) => said.map((each) => chunkWith({ delta: each })).join("");
    if (this.#isParsed) {
      const said = rescuer.end();
      unsure.add("", said, "", chunksOf(said));
      return unsure.take() + event;
    }
    const text = typeof delta.content === "string" ? delta.content : "";
    const isLast = typeof reason === "string";
    const said = [...(text === "" ? [] : rescuer.push(text)), ...(isLast ? rescuer.end() : [])];
    const finish = reason === "stop" && rescuer.calls > 0 ? "tool_calls" : reason;
    const { content: _, ...rest } = delta;
    const { logprobs } = choice;
    const hasRest = Object.values(rest).some((value) => value !== null) || isRecord(logprobs);
    const instead =
      (hasRest ? chunkWith({ delta: rest, logprobs }) : "") +
      chunksOf(said) +
      (isLast ? chunkWith({ delta: {}, finish_reason: finish }) : "");
    unsure.add(event, said, text, instead);
    return rescuer.isIdle || isLast || unsure.isChanged ? unsure.take() : "";
  }
}

type Fields = Readonly<Record<string, unknown>>;

/** Events of one choice that are passed on as they are if their text turns out to have been nothing else. */
class UnsureEvents {
  #events = "";
  #rewritten = "";
  /** What the engine has written, and what of it is certain to be text. */
  #written = "";
  #text = "";
  /** Whether something else than text has been found. */
  isChanged = false;

  add(event: string, said: readonly Said[], written: string, rewritten: string): void {
    this.#events += event;
    this.#rewritten += rewritten;
    this.#written += written;
    for (const { content } of said) {
      this.isChanged ||= content === undefined;
      this.#text += content ?? "";
    }
  }

  /**
   * The events, or those that replace them.
   * @param isCut whether the stream has broken off: then what is still held stays as it was
   */
  take(isCut = false): string {
    const isSame = !this.isChanged && (isCut || this.#text === this.#written);
    const events = isSame ? this.#events : this.#rewritten;
    this.#events = "";
    this.#rewritten = "";
    this.#written = "";
    this.#text = "";
    return events;
  }
}

const isList = (value: unknown) => Array.isArray(value) && value.length > 0;
const hasText = (value: unknown) => typeof value === "string" && value !== "";

/** Characters that are in every event. */
const JSON_CHARACTERS = '{}[]":,';
/** Begins `\u003c`, as some servers write `<`. */
const BACKSLASH = 0x5c;

/** Reasoning is only at the beginning, which is read in any case. */
function firstBytes({ calls }: AnswerFormats): number[] | undefined {
  const begins = calls?.format.begins ?? [];
  if (begins.some((begin) => JSON_CHARACTERS.includes(begin.charAt(0)) || begin.charCodeAt(0) > 0x7f))
    return undefined;
  return [...new Set([...begins.map((begin) => begin.charCodeAt(0)), BACKSLASH])];
}

class RescuedBody extends RewrittenReply {
  readonly #formats: AnswerFormats;
  readonly #held = new HeldBytes();

  constructor(reply: WireReply, formats: AnswerFormats) {
    super(reply);
    this.#formats = formats;
  }

  override end(): void {
    const bytes = this.#held.takeWith();
    const body = jsonOf(new TextDecoder().decode(bytes));
    const rescued = isRecord(body) ? this.#rescued(body) : undefined;
    if (rescued === undefined) this.reply.finish(bytes, false);
    else {
      this.reply.writeText(JSON.stringify(rescued));
      this.reply.end();
    }
  }

  protected override take(bytes: Uint8Array): boolean {
    this.#held.add(bytes);
    return true;
  }

  /** Undefined if there is nothing to rescue. */
  #rescued(body: Readonly<Record<string, unknown>>): object | undefined {
    if (!Array.isArray(body.choices)) return undefined;
    let isChanged = false;
    const choices = body.choices.map((choice: unknown) => {
      const rescued = this.#choice(choice);
      isChanged ||= rescued !== undefined;
      return rescued ?? choice;
    });
    return isChanged ? { ...body, choices } : undefined;
  }

  #choice(choice: unknown): object | undefined {
    if (!isRecord(choice) || !isRecord(choice.message)) return undefined;
    const { message, finish_reason: reason } = choice;
    if (typeof message.content !== "string" || isList(message.tool_calls)) return undefined;
    if (hasText(message.reasoning_content) || hasText(message.reasoning)) return undefined;
    const rescuer = new Rescuer(this.#formats);
    const said = [...rescuer.push(message.content), ...rescuer.end()];
    const join = (of: (each: Said) => string | undefined) => said.map((each) => of(each) ?? "").join("");
    const reasoning = join((each) => each.reasoning);
    const calls = said.flatMap((each) => each.tool_calls ?? []).map(({ index: _, ...call }) => call);
    if (reasoning === "" && calls.length === 0) return undefined;
    const content = join((each) => each.content);
    return {
      ...choice,
      message: {
        ...message,
        content: content === "" && calls.length > 0 ? null : content,
        ...(reasoning !== "" && { reasoning_content: reasoning, reasoning }),
        ...(calls.length > 0 && { tool_calls: calls }),
      },
      finish_reason: reason === "stop" && calls.length > 0 ? "tool_calls" : reason,
    };
  }
}
