import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dialect, Finish, Surface, TokenUsage } from "./dialect.ts";
import type { Running, StandInEngine } from "./engine.ts";
import type { Faults } from "./faults.ts";
import type { Handoff } from "./kv-handoff.ts";
import { type OpenAiRequest, readChat, readCompletion } from "./openai-request.ts";
import type { StandInReply, StandInRequest, StandInRoute } from "./server.ts";
import { SpeechWriter } from "./speech.ts";
import { findStop } from "./stop.ts";

export interface GenerationOptions {
  readonly model: string;
  readonly adapters: readonly string[];
  crash(): void;
}

/** A route that generates tokens: `/v1/chat/completions` or `/v1/completions`. */
export function generationRoute(
  surface: Surface,
  engine: StandInEngine,
  dialect: Dialect,
  options: GenerationOptions,
): StandInRoute {
  return async (request) => {
    const read =
      surface === "chat"
        ? readChat(request.body, dialect.continuing, dialect.takesMedia)
        : readCompletion(request.body);
    if (typeof read === "string") return dialect.malformed(read);
    const refusal = dialect.check(read);
    if (refusal !== undefined) return refusal;
    const handoff = await dialect.handoff?.begin(request.body, read.tokens, request.signal);
    if (handoff !== undefined && !("isReceived" in handoff)) return handoff;
    const answer = new Answer(surface, engine, dialect, options, request, read, handoff);
    return read.isStreamed ? { write: (response) => answer.stream(response) } : answer.whole();
  };
}

/** An answer that is being generated. */
class Answer {
  readonly #surface: Surface;
  readonly #dialect: Dialect;
  readonly #faults: Faults;
  readonly #faultsChanged: AbortSignal;
  readonly #signal: AbortSignal;
  readonly #request: OpenAiRequest;
  readonly #running: Running;
  readonly #options: GenerationOptions;
  readonly #handoff: Handoff | undefined;
  readonly #head: Readonly<Record<string, unknown>>;
  #generated = 0;

  constructor(
    surface: Surface,
    engine: StandInEngine,
    dialect: Dialect,
    options: GenerationOptions,
    { headers, body, faults, faultsChanged, signal }: StandInRequest,
    request: OpenAiRequest,
    handoff: Handoff | undefined,
  ) {
    const { model = options.model } = request;
    this.#surface = surface;
    this.#dialect = dialect;
    this.#faults = faults;
    this.#faultsChanged = faultsChanged;
    this.#signal = signal;
    this.#request = request;
    this.#options = options;
    this.#handoff = handoff;
    const rank = headers["x-data-parallel-rank"];
    this.#running = engine.generate(
      {
        ...request,
        ...(handoff && { tokens: handoff.tokens, isReceived: handoff.isReceived }),
        // An answer that does not fit ends at the end of the context.
        maxTokens: Math.min(request.maxTokens, engine.contextLength - request.tokens.length),
        cacheSalt: dialect.cacheSalt === undefined ? request.cacheSalt : dialect.cacheSalt(body),
        loraName: options.adapters.includes(model) ? model : undefined,
        rank: rank === undefined ? undefined : Number(rank),
      },
      signal,
    );
    const requestId = headers["x-request-id"];
    this.#head = {
      id: dialect.newId(surface, typeof requestId === "string" ? requestId : undefined),
      object: surface === "chat" ? "chat.completion" : "text_completion",
      created: Math.floor(Date.now() / 1000),
      model,
    };
  }

  async whole(): Promise<StandInReply> {
    let text = "";
    let finish: Finish = { reason: "length", stop: undefined };
    for await (const piece of this.#pieces()) {
      text += piece.text;
      if (piece.finish !== undefined) finish = piece.finish;
    }
    const { messageFields } = this.#dialect;
    const content =
      this.#surface === "chat"
        ? { message: { role: "assistant", content: text, ...messageFields } }
        : { text };
    const choices = [this.#choice(content, finish)];
    const usage = this.#usage();
    const fields = { ...this.#dialect.answerFields(usage), ...this.#handoff?.answerFields?.() };
    const answer = { ...this.#head, choices, ...fields };
    await this.#handoff?.beforeEnd?.(this.#signal);
    return { json: { ...answer, usage: this.#dialect.usage(usage) } };
  }

  async stream(response: ServerResponse): Promise<void> {
    let chunks = 0;
    const { closeAfterChunks, garbageSse, speech } = this.#faults;
    const writer = new SpeechWriter(response, speech);
    const closes = () => {
      if (closeAfterChunks === undefined || chunks < closeAfterChunks) return false;
      response.destroy();
      return true;
    };
    if (closes()) return;
    for await (const chunk of this.#chunks()) {
      await writer.write(chunk);
      chunks++;
      if (garbageSse && chunks === 1) response.write("data: {this is not JSON\n\n\u0000\u0001");
      if (closes()) return;
    }
    writer.end();
  }

  async *#chunks(): AsyncGenerator<object> {
    const { roleDelta, hasFinishChunk, deltaFields, finishDelta } = this.#dialect;
    const isChat = this.#surface === "chat";
    const delta = (text: string) => (isChat ? { delta: { content: text, ...deltaFields } } : { text });
    let isFirst = true;
    for await (const { text, finish } of this.#events()) {
      if (isFirst && isChat) yield this.#chunk([this.#choice({ delta: roleDelta }, undefined)]);
      isFirst = false;
      if (text !== "" || finish === undefined || !hasFinishChunk) {
        yield this.#chunk([this.#choice(delta(text), hasFinishChunk ? undefined : finish)]);
      }
      if (finish === undefined || !hasFinishChunk) continue;
      const last = this.#choice(isChat ? { delta: finishDelta } : { text: "" }, finish);
      yield { ...this.#chunk([last]), ...this.#dialect.finishFields(this.#usage()) };
    }
    if (this.#request.includesUsage && !this.#signal.aborted) {
      yield { ...this.#chunk([]), usage: this.#dialect.usage(this.#usage()) };
    }
  }

  /** The answer's text, in pieces of as many tokens as an event has. */
  async *#events(): AsyncGenerator<{ text: string; finish: Finish | undefined }> {
    let text = "";
    let tokens = 0;
    for await (const piece of this.#pieces()) {
      text += piece.text;
      if (++tokens < this.#faults.speech.tokensPerEvent && piece.finish === undefined) continue;
      yield { text, finish: piece.finish };
      text = "";
      tokens = 0;
    }
  }

  /** The answer's text, token by token; the possible beginning of a stop string is held back. */
  async *#pieces(): AsyncGenerator<{ text: string; finish: Finish | undefined }> {
    let held = "";
    for await (const token of this.#running.tokens()) {
      await this.#injectFaults();
      this.#generated++;
      const { text, rest, stop } = findStop(held + token.text, this.#request.stop);
      held = rest;
      if (stop !== undefined) return yield { text, finish: { reason: "stop", stop } };
      const { finish } = token;
      if (finish !== undefined) yield { text: text + rest, finish: { reason: finish, stop: undefined } };
      else yield { text, finish: undefined };
    }
  }

  /** The faults that occur in the middle of an answer. */
  async #injectFaults(): Promise<void> {
    const { hangAfterTokens, crashAfterTokens } = this.#faults;
    if (crashAfterTokens !== undefined && this.#generated >= crashAfterTokens) this.#options.crash();
    if (hangAfterTokens === undefined || this.#generated < hangAfterTokens) return;
    const signal = AbortSignal.any([this.#signal, this.#faultsChanged]);
    await sleep(2 ** 30, undefined, { signal, ref: false }).catch(() => {});
  }

  #choice(content: object, finish: Finish | undefined): object {
    return {
      index: 0,
      ...content,
      finish_reason: finish?.reason ?? null,
      ...this.#dialect.choiceFields(this.#surface, finish),
      ...(finish && this.#handoff?.choiceFields?.()),
    };
  }

  #chunk(choices: readonly object[]): object {
    const object = this.#surface === "chat" ? "chat.completion.chunk" : "text_completion";
    return { ...this.#head, object, choices, ...this.#dialect.chunkFields };
  }

  #usage(): TokenUsage {
    return {
      promptTokens: this.#request.tokens.length,
      completionTokens: this.#generated,
      cachedTokens: this.#running.cachedTokens,
    };
  }
}
