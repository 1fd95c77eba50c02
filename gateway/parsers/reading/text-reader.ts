import { History } from "./history.ts";
import { findMarker } from "./markers.ts";

/** A part of a parser: it yields when it needs more text. */
export type Step<T> = Generator<void, T, void>;

/** The text is not what the format asks for, or it ends too early. */
export class Nonsense extends Error {}

/**
 * Text that arrives in pieces. Parsers read it as if it were whole, in generators that yield until more has arrived, so
 * what they find does not depend on how it was cut.
 */
export class TextReader {
  /** What has not been read, and what was read since the last piece has arrived. */
  #text = "";
  #at = 0;
  /** Where in the whole text `#text` begins. The next two are in the whole text, too. */
  #base = 0;
  #isOver = false;
  readonly #history = new History();
  /** Where the text begins to which `rewind` goes back. */
  #markAt = Number.POSITIVE_INFINITY;
  /** Where the text begins that is only tried out. */
  #trialAt = Number.POSITIVE_INFINITY;
  /** Where the text begins that is to be copied; -1 if none is. */
  #copyFrom = -1;
  #copy: (text: string) => void = () => {};

  /** Adds a piece. */
  feed(text: string): void {
    const isKept = Math.min(this.#markAt, this.#trialAt) < this.#base + this.#at;
    if (isKept) this.#history.push(this.#text.slice(0, this.#at), this.#base);
    else this.#history.clear();
    this.#text = this.#text.slice(this.#at) + text;
    this.#base += this.#at;
    // What is to be copied has been, before more text was waited for.
    if (this.#copyFrom >= 0) this.#copyFrom = 0;
    this.#at = 0;
  }

  /** No more text will arrive. */
  close(): void {
    this.#isOver = true;
  }

  /** Remembers the text from here on, until the next `forget`. */
  mark(): void {
    this.#markAt = this.#base + this.#at;
    if (this.#trialAt > this.#markAt) this.#history.clear();
  }

  forget(): void {
    this.#markAt = Number.POSITIVE_INFINITY;
  }

  /** Goes back to the mark. */
  rewind(): void {
    this.#goTo(Math.min(this.#markAt, this.#base + this.#at));
  }

  #goTo(at: number): void {
    if (at < this.#base) {
      this.#text = this.#history.takeFrom(at) + this.#text;
      this.#base = at;
    }
    this.#at = at - this.#base;
    this.#copyFrom = -1;
  }

  /**
   * Runs steps until it is enough, and goes back to where they began. The mark is forgotten.
   * @throws what the steps throw
   */
  *tryOut(steps: Step<void>, isEnough: () => boolean): Step<void> {
    this.#trialAt = this.#base + this.#at;
    try {
      while (!steps.next().done && !isEnough()) yield;
    } finally {
      this.#goTo(this.#trialAt);
      this.#trialAt = Number.POSITIVE_INFINITY;
      this.forget();
    }
  }

  /** Takes all the text that has arrived and has not been read. */
  takeRest(): string {
    const rest = this.#text.slice(this.#at);
    this.#base += this.#text.length;
    this.#text = "";
    this.#at = 0;
    this.#copyFrom = -1;
    this.#history.clear();
    this.forget();
    return rest;
  }

  /** A character that has not been read: the next one, or one after it. Empty behind the end. */
  *peek(offset = 0): Step<string> {
    while (this.#at + offset >= this.#text.length) if (!(yield* this.#more())) return "";
    return this.#text.charAt(this.#at + offset);
  }

  /** Reads characters that `peek` has returned. */
  skip(count = 1): void {
    this.#at += count;
  }

  *skipSpace(): Step<void> {
    while (isSpace(yield* this.peek())) this.#at++;
  }

  /** Reads the text if it is next. */
  *tryText(text: string): Step<boolean> {
    while (this.#unread < text.length) {
      if (!text.startsWith(this.#text.slice(this.#at)) || !(yield* this.#more())) return false;
    }
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /**
   * What follows, and stays unread: the first of the texts that comes next, or after some blanks. Empty if the text
   * ends there; undefined for anything else.
   * @param offset characters before it
   */
  *following(texts: readonly string[], offset = 0): Step<string | undefined> {
    let from = offset;
    while (isSpace(yield* this.peek(from))) if (from++ - offset > MOST_BLANKS) return undefined;
    if ((yield* this.peek(from)) === "") return "";
    for (const text of texts) {
      let length = 0;
      while (length < text.length && (yield* this.peek(from + length)) === text.charAt(length)) length++;
      if (length === text.length) return text;
    }
    return undefined;
  }

  /** @throws Nonsense if something else is next */
  *expect(text: string): Step<void> {
    if (!(yield* this.tryText(text))) throw new Nonsense(`Expected ${text}.`);
  }

  /**
   * Reads characters for as long as each matches.
   * @throws Nonsense if there are more than `limit`
   */
  *while(pattern: RegExp, limit = 256): Step<string> {
    for (let found = ""; ; this.#at++) {
      const character = yield* this.peek();
      if (character === "" || !pattern.test(character)) return found;
      if (found.length === limit) throw new Nonsense("A name or number is too long.");
      found += character;
    }
  }

  /**
   * Reads up to one of the markers, which stays unread.
   * @param onText gets the text before it, as it arrives
   * @returns the marker; undefined if the text ends without one
   */
  *upTo(markers: readonly string[], onText: (text: string) => void): Step<string | undefined> {
    for (;;) {
      const { at, marker } = findMarker(this.#text, markers, this.#at, this.#isOver);
      this.#pass(at, onText);
      if (marker !== undefined || (this.#isOver && this.#unread === 0)) return marker;
      yield* this.#more();
    }
  }

  /** Like `upTo`, but reads the marker too. */
  *past(markers: readonly string[], onText: (text: string) => void): Step<string | undefined> {
    const marker = yield* this.upTo(markers, onText);
    this.#at += marker?.length ?? 0;
    return marker;
  }

  /**
   * Reads a short text that ends with one of the markers.
   * @throws Nonsense without one, or for a text above `limit`: nothing has been read then
   */
  *textPast(
    markers: readonly string[],
    limit = 256,
  ): Step<{ readonly text: string; readonly marker: string }> {
    for (;;) {
      const { at, marker } = findMarker(this.#text, markers, this.#at, this.#isOver);
      if (at - this.#at > limit) throw new Nonsense("A name is too long.");
      if (marker !== undefined) {
        const text = this.#text.slice(this.#at, at);
        this.#at = at + marker.length;
        return { text, marker };
      }
      if (this.#isOver) throw new Nonsense(`Expected ${markers.join(" or ")}.`);
      yield* this.#more();
    }
  }

  /** Copies the text that is read from here on, as it arrives. */
  startCopy(copy: (text: string) => void): void {
    this.#copy = copy;
    this.#copyFrom = this.#at;
  }

  stopCopy(): void {
    this.#flushCopy();
    this.#copyFrom = -1;
  }

  /** Reads characters, but copies `instead`. */
  replace(count: number, instead: string): void {
    this.#flushCopy();
    this.#at += count;
    if (this.#copyFrom < 0) return;
    this.#copyFrom = this.#at;
    this.#copy(instead);
  }

  /** Reads characters that need no attention within a JSON string. @returns the next one, unread */
  *pastPlainCharacters(): Step<string> {
    for (;;) {
      PLAIN.lastIndex = this.#at;
      PLAIN.test(this.#text);
      this.#at = PLAIN.lastIndex;
      if (this.#at < this.#text.length) return this.#text.charAt(this.#at);
      if (!(yield* this.#more())) return "";
    }
  }

  get #unread(): number {
    return this.#text.length - this.#at;
  }

  /** Waits for more text than there is. @returns false at the end */
  *#more(): Step<boolean> {
    this.#flushCopy();
    const before = this.#unread;
    while (!this.#isOver) {
      yield;
      if (this.#unread > before) return true;
    }
    return false;
  }

  #pass(to: number, onText: (text: string) => void): void {
    if (to <= this.#at) return;
    const text = this.#text.slice(this.#at, to);
    this.#at = to;
    onText(text);
  }

  #flushCopy(): void {
    if (this.#copyFrom < 0 || this.#copyFrom >= this.#at) return;
    const text = this.#text.slice(this.#copyFrom, this.#at);
    this.#copyFrom = this.#at;
    this.#copy(text);
  }
}

const PLAIN = /[^"\\\p{Cc}]*/uy;

/** More blanks than models write between tags. */
const MOST_BLANKS = 256;

/** Whether it is a blank, a tab or a line end. */
const isSpace = (character: string) =>
  character === " " || character === "\n" || character === "\r" || character === "\t";
