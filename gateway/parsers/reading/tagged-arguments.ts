import type { CallSink, Tools } from "../types.ts";
import { argumentTypes, type JsonType } from "./schema.ts";
import { Nonsense, type Step, type TextReader } from "./text-reader.ts";
import { ValueWriter } from "./values.ts";

export interface ValueOptions {
  /** Whether the marker that is next ends the value, which may also contain it. */
  isEnd?(marker: string): Step<boolean>;
  /** What the value may be, if the model has said so. */
  readonly types?: ReadonlySet<JsonType> | undefined;
}

/** Passes on the arguments of one call, which the model writes one after the other, as one JSON object. */
export class TaggedArguments {
  readonly #calls: CallSink;
  readonly #tools: Tools;
  readonly #name: string;
  #isEmpty = true;

  /** Begins the call. */
  constructor(calls: CallSink, tools: Tools, name: string, id?: string) {
    this.#calls = calls;
    this.#tools = tools;
    this.#name = name;
    calls.begin(name, id);
  }

  /**
   * Reads an argument's value up to one of the markers, which stays unread.
   * @returns the marker
   */
  *read(
    reader: TextReader,
    key: string,
    markers: readonly string[],
    { isEnd, types = argumentTypes(this.#tools, this.#name, key) }: ValueOptions = {},
  ): Step<string> {
    this.#calls.arguments(`${this.#isEmpty ? "{" : ","}${JSON.stringify(key)}:`);
    this.#isEmpty = false;
    const value = new ValueWriter((json) => this.#calls.arguments(json), types);
    for (;;) {
      const marker = yield* reader.upTo(markers, (text) => value.push(text));
      if (marker === undefined) {
        value.breakOff();
        throw new Nonsense("An argument has no end.");
      }
      if (isEnd === undefined || (yield* isEnd(marker))) {
        value.end();
        return marker;
      }
      value.push(marker);
      reader.skip(marker.length);
    }
  }

  /** Ends the call. */
  end(): void {
    this.#calls.arguments(this.#isEmpty ? "{}" : "}");
    this.#calls.end();
  }
}
