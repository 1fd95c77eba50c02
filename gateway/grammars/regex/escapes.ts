import { complement, type Ranges } from "../automata/ranges.ts";
import { CLASSES, property } from "./classes.ts";
import type { Reader } from "./reader.ts";
import { PatternError } from "./types.ts";

const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

/**
 * Reads an escape after its backslash.
 * @returns the characters that it stands for
 */
export function readEscape(reader: Reader): Ranges {
  const letter = reader.take();
  const named = CLASSES[letter];
  if (named !== undefined) return named;
  if (letter === "p" || letter === "P") {
    const name = reader.takeMatch(/\{([A-Za-z0-9_=]+)\}/y)?.[1];
    if (name === undefined) throw new PatternError(`has \\${letter} without a property in braces`);
    return letter === "p" ? property(name) : complement(property(name));
  }
  const code = readCharacter(reader, letter);
  return [[code, code]];
}

function readCharacter(reader: Reader, letter: string): number {
  const control = CONTROLS[letter];
  if (control !== undefined && !(letter === "0" && /[0-9]/.test(reader.next))) return control;
  if (letter === "x") return readHexadecimal(reader, /([0-9A-Fa-f]{2})/y);
  if (letter === "u") {
    const pair = reader.takeMatch(/[dD]([89abAB][0-9A-Fa-f]{2})\\u[dD]([c-fC-F][0-9A-Fa-f]{2})/y);
    if (pair !== null)
      return String.fromCharCode(
        Number.parseInt(`d${pair[1]}`, 16),
        Number.parseInt(`d${pair[2]}`, 16),
      ).codePointAt(0)!;
    return readHexadecimal(reader, reader.next === "{" ? /\{([0-9A-Fa-f]+)\}/y : /([0-9A-Fa-f]{4})/y);
  }
  if (letter === "c") {
    const control = reader.takeMatch(/[A-Za-z]/y)?.[0];
    if (control !== undefined) return control.codePointAt(0)! % 32;
  }
  if (letter === "") throw new PatternError("ends with a backslash");
  if (/[A-Za-z0-9]/.test(letter)) throw new PatternError(`has \\${letter}, which is not supported`);
  return letter.codePointAt(0)!;
}

function readHexadecimal(reader: Reader, digits: RegExp): number {
  const code = Number.parseInt(reader.takeMatch(digits)?.[1] ?? "", 16);
  if (!(code <= 0x10ffff)) throw new PatternError("has an invalid \\x or \\u");
  return code;
}
