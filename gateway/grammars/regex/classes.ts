import { complement, type Ranges, union } from "../automata/ranges.ts";
import { PatternError } from "./types.ts";

const range = (first: string, last: string): Ranges => [[first.codePointAt(0)!, last.codePointAt(0)!]];

const DIGITS = range("0", "9");
const WORD = union(DIGITS, range("A", "Z"), range("a", "z"), range("_", "_"));
/** JavaScript's white space and line ends. */
const SPACE = union(
  range("\t", "\r"),
  ...[" ", "\u00a0", "\u1680", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff"].map((each) =>
    range(each, each),
  ),
  range("\u2000", "\u200a"),
);

/** What `\d` and the like stand for. */
export const CLASSES: Readonly<Record<string, Ranges>> = {
  d: DIGITS,
  D: complement(DIGITS),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};

/** What `.` stands for: anything but the end of a line. */
export const DOT = complement(union(range("\n", "\n"), range("\r", "\r"), range("\u2028", "\u2029")));

const properties = new Map<string, Ranges>();

/**
 * The characters with a Unicode property, such as `L` or `Script=Greek`. JavaScript's own tables tell, once for each.
 * @throws PatternError if there is no such property
 */
export function property(name: string): Ranges {
  const known = properties.get(name);
  if (known !== undefined) return known;
  const ranges = readProperty(name);
  properties.set(name, ranges);
  return ranges;
}

function readProperty(name: string): Ranges {
  let tester: RegExp;
  try {
    tester = new RegExp(`^\\p{${name}}$`, "u");
  } catch {
    throw new PatternError(`has an unknown Unicode property, \\p{${name}}`);
  }
  const ranges: [number, number][] = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code === 0xd800) code = 0xe000;
    if (!tester.test(String.fromCodePoint(code))) continue;
    const last = ranges.at(-1);
    if (last?.[1] === code - 1) last[1] = code;
    else ranges.push([code, code]);
  }
  return ranges;
}
