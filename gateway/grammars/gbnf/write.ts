import type { Ranges } from "../automata/ranges.ts";
import { prune } from "./prune.ts";
import type { Item, Rules, Sequence } from "./rules.ts";

/** Most repetitions in one item: llama.cpp refuses 2,000. */
const MOST_REPEATED = 1_000;

/**
 * The grammar in llama.cpp's notation, GBNF.
 * @returns undefined if the root matches nothing
 */
export function writeGrammar(rules: Rules, root: string): string | undefined {
  const kept = prune(rules, root);
  if (kept.size === 0) return undefined;
  const writer = new Writer();
  for (const [name, alternatives] of kept) writer.write(name, alternatives);
  return [`root ::= ${root}`, ...writer.lines, ""].join("\n");
}

class Writer {
  readonly lines: string[] = [];
  readonly #chunks = new Map<string, string>();

  write(name: string, alternatives: readonly Sequence[]): void {
    const written = alternatives.map((sequence) => this.#sequence(sequence));
    this.lines.push(`${name} ::= ${written.join(" | ")}`);
  }

  #sequence(sequence: Sequence): string {
    return sequence.map((item) => this.#item(item)).join(" ") || '""';
  }

  #item(item: Item): string {
    if (item.kind === "text")
      return `"${Array.from(item.text, (each) => escaped(each.codePointAt(0)!)).join("")}"`;
    if (item.kind === "class") return classOf(item.ranges);
    return item.kind === "rule" ? item.name : this.#repeat(item.name, item.least, item.most);
  }

  #repeat(name: string, least: number, most: number): string {
    if (most === 0) return '""';
    if (least === 1 && most === 1) return name;
    if (most === Number.POSITIVE_INFINITY)
      return least <= MOST_REPEATED ? `${name}{${least},}` : `${this.#exactly(name, least)} ${name}*`;
    if (most < MOST_REPEATED) return `${name}{${least},${most}}`;
    return `${this.#exactly(name, least)} ${this.#atMost(name, most - least)}`;
  }

  #exactly(name: string, count: number): string {
    const whole = Math.floor(count / MOST_REPEATED);
    const rest = count % MOST_REPEATED;
    const parts =
      whole === 0 ? [] : [`${this.#chunk(name, MOST_REPEATED, MOST_REPEATED)}{${whole},${whole}}`];
    return [...parts, ...(rest === 0 ? [] : [`${name}{${rest},${rest}}`])].join(" ") || '""';
  }

  /** A chain of rules, each of which matches a thousand and goes on, or fewer. */
  #atMost(name: string, count: number): string {
    if (count < MOST_REPEATED) return count === 0 ? '""' : `${name}{0,${count}}`;
    const key = `${name}-up-to-${count}`;
    if (this.#chunks.has(key)) return key;
    this.#chunks.set(key, key);
    const more = `${this.#chunk(name, MOST_REPEATED, MOST_REPEATED)} ${this.#atMost(name, count - MOST_REPEATED)}`;
    this.lines.push(`${key} ::= ${more} | ${this.#chunk(name, 0, MOST_REPEATED - 1)}`);
    return key;
  }

  #chunk(name: string, least: number, most: number): string {
    const key = `${name}-${least}-to-${most}`;
    if (!this.#chunks.has(key)) {
      this.#chunks.set(key, key);
      this.lines.push(`${key} ::= ${name}{${least},${most}}`);
    }
    return key;
  }
}

const classOf = (ranges: Ranges): string =>
  `[${ranges.map(([first, last]) => (first === last ? escaped(first) : `${escaped(first)}-${escaped(last)}`)).join("")}]`;

/** A character in a text or a class. Only characters that have no meaning in either stand for themselves. */
function escaped(code: number): string {
  const character = String.fromCodePoint(code);
  if (/[A-Za-z0-9 {}:,._/@+]/.test(character)) return character;
  if (code < 0x100) return `\\x${hexadecimal(code, 2)}`;
  return code < 0x10000 ? `\\u${hexadecimal(code, 4)}` : `\\U${hexadecimal(code, 8)}`;
}

const hexadecimal = (code: number, digits: number) => code.toString(16).padStart(digits, "0");
