import { HeldSpace } from "./reading/held-space.ts";
import { findMarker } from "./reading/markers.ts";
import { Nonsense, type Step, TextReader } from "./reading/text-reader.ts";
import type { AnswerSink, CallFormat, CallSink, ToolFormat, Tools } from "./types.ts";

/**
 * Finds tool calls in an answer's text. Blanks around calls are dropped. Whatever is not a call stays text, as it was.
 */
export class ToolParser {
  readonly #format: ToolFormat;
  readonly #tools: Tools;
  readonly #sink: AnswerSink;
  readonly #reader = new TextReader();
  readonly #space: HeldSpace;
  readonly #calls: CallSink;
  /** The markers to look for in text. */
  #markers: readonly string[];
  /** Reads the current calls; undefined within text. */
  #steps: Step<void> | undefined;
  /** The text that began the current calls, until the first one is certain. */
  #begin = "";
  #isCallOpen = false;
  #isOver = false;
  /** The end of the text, which may be the beginning of a marker. */
  #held = "";
  /** Whether nothing but blanks has arrived. */
  #isAtStart: boolean;

  constructor({ format, tools, accepts }: CallFormat, sink: AnswerSink) {
    this.#format = format;
    this.#tools = tools;
    this.#sink = sink;
    this.#space = new HeldSpace((text) => sink.text(text));
    this.#isAtStart = format.opens !== undefined;
    this.#markers = format.begins;
    const { begins, ends = [], controls = [] } = format;
    const withEnds = [...begins, ...ends.filter((end) => controls.includes(end))];
    const streamed: CallSink = {
      begin: (name, id) => {
        this.#space.drop();
        this.#begin = "";
        this.#isCallOpen = true;
        this.#markers = withEnds;
        this.#reader.forget();
        sink.begin(name, id);
      },
      arguments: (json) => sink.arguments(json),
      end: () => {
        this.#isCallOpen = false;
        this.#reader.mark();
        sink.end();
      },
    };
    this.#calls = accepts === undefined ? streamed : checked(streamed, accepts);
  }

  /** Whether it is within text, and holds nothing back: it need not see text without markers. */
  get isIdle(): boolean {
    return this.#steps === undefined && this.#held === "" && !this.#isAtStart && this.#space.isIdle;
  }

  push(text: string): void {
    if (this.#steps === undefined) this.#scan(text);
    else {
      this.#reader.feed(text);
      if (this.#advance()) this.#scan(this.#reader.takeRest());
    }
  }

  /** The answer is over. */
  end(): void {
    this.#isOver = true;
    this.#reader.close();
    if (this.#steps === undefined) this.#scan("");
    else if (this.#advance()) this.#scan(this.#reader.takeRest());
    this.#space.flush();
  }

  /** Looks for calls in text. */
  #scan(text: string): void {
    let all = this.#held === "" ? text : this.#held + text;
    this.#held = "";
    for (;;) {
      if (this.#isAtStart) {
        const start = all.trimStart();
        this.#space.push(all.slice(0, all.length - start.length));
        all = start;
        const open = this.#findOpen(start);
        if (open === undefined) return;
        if (open !== "") {
          if (!this.#read(open, start)) return;
          all = this.#reader.takeRest();
          continue;
        }
      }
      const { at, marker } = findMarker(all, this.#markers, 0, this.#isOver);
      this.#space.push(all.slice(0, at));
      if (marker === undefined) {
        this.#held = all.slice(at);
        return;
      }
      this.#isAtStart = false;
      all = all.slice(at + marker.length);
      if (!this.#format.begins.includes(marker)) {
        this.#space.drop();
        continue;
      }
      if (!this.#read(marker, all)) return;
      all = this.#reader.takeRest();
    }
  }

  /** How the answer begins calls: an empty string if it does not, undefined if it cannot be said yet. */
  #findOpen(start: string): string | undefined {
    const opens = [...(this.#format.opens ?? []), ...this.#format.begins];
    const open = opens.find((each) => start.startsWith(each));
    if (open === undefined && !this.#isOver && opens.some((each) => each.startsWith(start))) {
      this.#held = start;
      return undefined;
    }
    this.#isAtStart = false;
    return open !== undefined && this.#format.opens?.includes(open) ? open : "";
  }

  /** @returns whether it has read the calls to their end */
  #read(begin: string, text: string): boolean {
    const isOpen = this.#format.opens?.includes(begin) === true && text.startsWith(begin);
    this.#begin = isOpen ? "" : begin;
    this.#reader.feed(text);
    this.#reader.mark();
    this.#steps = this.#format.read(this.#reader, this.#calls, { tools: this.#tools, begin });
    return this.#advance();
  }

  #advance(): boolean {
    try {
      if (this.#steps?.next().done !== true) return false;
    } catch (error) {
      if (!(error instanceof Nonsense)) throw error;
      if (this.#isCallOpen) {
        this.#steps = this.#passRest();
        return this.#advance();
      }
      this.#reader.rewind();
      this.#keepAsText();
    }
    this.#steps = undefined;
    this.#reader.forget();
    return true;
  }

  /** The text that began the calls began none. */
  #keepAsText(): void {
    this.#space.push(this.#begin);
    this.#begin = "";
  }

  /** What is left of a malformed call is passed on as it is. */
  *#passRest(): Step<void> {
    this.#reader.stopCopy();
    const { begins, ends = [], controls = [] } = this.#format;
    // If its end is missing, the next call ends it.
    const next = begins.filter((begin) => controls.includes(begin));
    const marker = yield* this.#reader.upTo([...ends, ...next], (text) => this.#sink.arguments(text));
    if (marker !== undefined && ends.includes(marker)) this.#reader.skip(marker.length);
    this.#isCallOpen = false;
    this.#sink.end(true);
  }
}

/** Passes on calls once they are complete and accepted. Throws Nonsense for others, which makes them text. */
function checked(sink: CallSink, accepts: (name: string, json: string) => boolean): CallSink {
  let call = { name: "", id: undefined as string | undefined, json: "" };
  return {
    begin(name, id) {
      call = { name, id, json: "" };
    },
    arguments(json) {
      call.json += json;
    },
    end() {
      const { name, id, json } = call;
      if (!accepts(name, json)) throw new Nonsense(`The call of ${name} is not accepted.`);
      sink.begin(name, id);
      sink.arguments(json);
      sink.end();
    },
  };
}
