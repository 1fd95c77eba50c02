import { jsonOf } from "../../kernel/json.ts";
import { hexDigit } from "../../wire/chunk-tracker.ts";
import { readAnswerEvent } from "./answer-event.ts";
import { errorStatusOf } from "./engine-error.ts";
import { isDone, readEvents, type StreamEvent } from "./event-text.ts";
import type { TokenEstimate } from "./token-estimate.ts";

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
/** Length of an HTTP line ending. */
const LINE_END = 2;
const CLOSING_BRACE = 0x7d;
/** The part by which similar events are recognised: everything before the data, and its first characters. */
const OPENING = /^(?:(?!data:)[^\r\n]*(?:\r\n|\n|\r))*data:[^\r\n]{0,17}/;

/** Numbers as Python writes them that are not valid JSON. */
const PYTHON_NUMBERS = /([:,[]\s*)(?:-?Infinity|NaN)(?=\s*[,\]}])/g;

/** Names of events whose data must be an answer or an error. */
const PLAIN_NAMES = new Set(["", "message", "error"]);

/** A control character in a field name. */
const CONTROL_CHARACTERS = /^[^:\r\n]*(?![\t\r\n])\p{Cc}/mu;

const NOTHING = new Uint8Array(0);

/** Something in a stream that is not part of an answer. */
export interface StreamFinding {
  readonly kind: "error" | "garbage";
  /** The event as the engine sent it. */
  readonly event: StreamEvent;
  /** HTTP status of an error. */
  readonly status: number;
}

/**
 * Inspects the events of one stream as they pass through. An event that begins like the last parsed one and ends like
 * an object is assumed to be similar, and is not parsed. Only what is certainly not a field or not JSON is garbage;
 * everything else that the event-stream format allows is valid.
 */
export class EventInspection {
  /** Events with data, not counting `[DONE]`. */
  events = 0;
  /** Whether `[DONE]` has been seen. */
  isDone = false;
  /** The last thing found that is not part of an answer. */
  finding: StreamFinding | undefined;
  readonly #estimate: TokenEstimate;
  /** The start of the last parsed event. */
  #opening: Uint8Array = NOTHING;

  constructor(estimate: TokenEstimate) {
    this.#estimate = estimate;
  }

  /**
   * Inspects whole events, and comment lines between them.
   * @param from where they begin
   * @param to where they end
   * @returns where the valid part ends
   */
  inspect(bytes: Uint8Array, from = 0, to = bytes.length): number {
    let at = from;
    let cr = bytes.indexOf(CR, at);
    while (at < to) {
      if (cr >= 0 && cr < at) cr = bytes.indexOf(CR, at);
      const next = this.#mustParse ? 0 : this.#skipSimilar(bytes, at, cr < 0 ? to : Math.min(cr, to), to);
      if (next > 0) {
        this.events++;
        at = next;
        continue;
      }
      const end = endOfEvent(bytes, at, to);
      if (!this.#isValid(bytes.subarray(at, end))) return at;
      at = end;
    }
    return to;
  }

  /**
   * The same for HTTP chunks of whole events, without chunk extensions.
   * @returns where the valid part ends
   */
  inspectChunks(wire: Uint8Array): number {
    for (let at = 0; at < wire.length; ) {
      let size = 0;
      for (let digit = hexDigit(wire[at]!); digit >= 0; digit = hexDigit(wire[++at]!))
        size = size * 16 + digit;
      const from = at + LINE_END;
      const to = from + size;
      const end = this.inspect(wire, from, to);
      if (end < to) return end;
      at = to + LINE_END;
    }
    return wire.length;
  }

  /** Whether to parse the next event in any case, to sample its tokens: at exponentially growing intervals. */
  get #mustParse(): boolean {
    return (this.events & (this.events - 1)) === 0;
  }

  /** The end of an event similar to the last parsed one; 0 if it is not. @param cr where the next CR is, if any */
  #skipSimilar(bytes: Uint8Array, at: number, cr: number, to: number): number {
    const opening = this.#opening;
    for (let index = 0; index < opening.length; index++) if (bytes[at + index] !== opening[index]) return 0;
    const feed = bytes.indexOf(LF, at + opening.length);
    if (feed < 0 || feed + 1 >= to || opening.length === 0) return 0;
    // A CR also ends a line.
    const end = Math.min(cr, feed);
    if (bytes[end - 1] !== CLOSING_BRACE || end < feed - 1) return 0;
    const next = feed + 1;
    if (bytes[next] === LF) return next + 1;
    return bytes[next] === CR && bytes[next + 1] === LF && next + 1 < to ? next + 2 : 0;
  }

  #isValid(bytes: Uint8Array): boolean {
    const text = decoder.decode(bytes);
    if (CONTROL_CHARACTERS.test(text)) {
      this.finding = { kind: "garbage", event: { name: "", data: text }, status: 502 };
      return false;
    }
    for (const event of readEvents(text)) {
      if (isDone(event.data)) {
        this.isDone = true;
        continue;
      }
      const value = jsonOf(event.data) ?? jsonOf(event.data.replace(PYTHON_NUMBERS, "$1null"));
      // An event with another name, such as `ping`, is not part of the answer.
      if (value === undefined && !PLAIN_NAMES.has(event.name)) continue;
      if (value === undefined) {
        this.finding = { kind: "garbage", event, status: 502 };
        return false;
      }
      const status = errorStatusOf(value, event.name);
      if (status !== undefined) {
        this.finding = { kind: "error", event, status };
        return false;
      }
      this.events++;
      this.#opening = bytes.slice(0, OPENING.exec(text)?.[0].length ?? 0);
      const answer = readAnswerEvent(value);
      if (answer !== undefined) this.#estimate.sample(answer, this.events);
    }
    return true;
  }
}

/** The end of the event, comment or empty line that begins here, including the empty line after an event. */
function endOfEvent(bytes: Uint8Array, from: number, to: number): number {
  const isComment = bytes[from] === COLON;
  for (let at = from; at < to; ) {
    const end = endOfLine(bytes, at, to);
    const isEmpty = end === at;
    at = end + (bytes[end] === CR && bytes[end + 1] === LF ? 2 : 1);
    if (isEmpty || isComment) return Math.min(at, to);
  }
  return to;
}

/** Where the line's text ends. */
function endOfLine(bytes: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] === LF || bytes[at] === CR) return at;
  return to;
}

const decoder = new TextDecoder();
