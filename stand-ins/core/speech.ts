import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { writable } from "./writable.ts";

/** Other ways in which servers, and proxies in front of them, format the same streamed answer. */
export const speechSchema = z.strictObject({
  /** Tokens in each event. */
  tokensPerEvent: z.number().int().positive().default(1),
  /** How the body is delimited: by chunked encoding, its content-length, or the end of the connection. */
  framing: z.enum(["chunked", "length", "close"]).default("chunked"),
  /** Bytes per chunk, regardless of event boundaries; undefined for one chunk per event. */
  chunkBytes: z.number().int().positive().optional(),
  lineEnd: z.enum(["\n", "\r\n", "\r"]).default("\n"),
  /** The field name before an event's data. */
  field: z.enum(["data: ", "data:", "data:  "]).default("data: "),
  /** Whether JSON has spaces between its tokens. */
  isSpaced: z.boolean().default(false),
  /** Whether each event's JSON spans several lines. */
  isInLines: z.boolean().default(false),
  /** Comments, unknown fields and empty data between events. */
  isChatty: z.boolean().default(false),
  /** Bytes of an unknown field in each event. */
  paddingBytes: z.number().int().nonnegative().default(0),
  hasByteOrderMark: z.boolean().default(false),
  isZipped: z.boolean().default(false),
  /** Whether OpenAI's last event, `[DONE]`, is sent. */
  hasDone: z.boolean().default(true),
});

export type Speech = z.output<typeof speechSchema>;

/** Writes an event stream in the given format. */
export class SpeechWriter {
  readonly #response: ServerResponse;
  readonly #speech: Speech;
  /** Output held back until it fills a chunk or is complete. */
  #held = Buffer.alloc(0);

  constructor(response: ServerResponse, speech: Speech) {
    this.#response = response;
    this.#speech = speech;
    if (speech.framing === "close") response.useChunkedEncodingByDefault = false;
    if (this.#isWhole) return;
    response.writeHead(200, HEADERS);
    response.flushHeaders();
    if (speech.hasByteOrderMark) response.write("\ufeff");
  }

  async write(event: object): Promise<void> {
    const { lineEnd, isSpaced, isInLines, isChatty, paddingBytes } = this.#speech;
    const padded = paddingBytes === 0 ? event : { ...event, padding: "x".repeat(paddingBytes) };
    const json = JSON.stringify(padded, undefined, isSpaced || isInLines ? 1 : undefined);
    const text = isInLines ? json : json.replace(/\n */g, " ");
    const more = isChatty ? [": ping", "retry: 10", "x-note: 1"] : [];
    await this.#send(this.#event(text.split("\n"), more));
    if (isChatty) await this.#send(`: a comment${lineEnd}`);
    if (isChatty) await this.#send(this.#event([""], []));
  }

  end(): void {
    const last = this.#speech.hasDone ? this.#event(["[DONE]"], []) : "";
    const all = Buffer.concat([this.#held, Buffer.from(last)]);
    if (!this.#isWhole) {
      this.#response.end(all);
      return;
    }
    const { isZipped, framing } = this.#speech;
    const body = isZipped ? gzipSync(all) : all;
    this.#response.writeHead(200, {
      ...HEADERS,
      ...(isZipped && { "content-encoding": "gzip" }),
      ...(framing === "length" && { "content-length": body.length }),
    });
    this.#response.end(body);
  }

  /** Whether everything is sent at the end. */
  get #isWhole(): boolean {
    return this.#speech.isZipped || this.#speech.framing === "length";
  }

  #event(data: readonly string[], others: readonly string[]): string {
    const { field, lineEnd } = this.#speech;
    const lines = [...others, ...data.map((line) => field + line), ""];
    return lines.map((line) => line + lineEnd).join("");
  }

  async #send(text: string): Promise<void> {
    const { chunkBytes } = this.#speech;
    if (!this.#isWhole && chunkBytes === undefined) {
      if (!this.#response.write(text)) await writable(this.#response);
      return;
    }
    this.#held = Buffer.concat([this.#held, Buffer.from(text)]);
    if (this.#isWhole || chunkBytes === undefined) return;
    for (; this.#held.length >= chunkBytes; this.#held = this.#held.subarray(chunkBytes))
      if (!this.#response.write(this.#held.subarray(0, chunkBytes))) await writable(this.#response);
  }
}

const HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };
