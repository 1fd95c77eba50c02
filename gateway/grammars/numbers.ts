import { type Automaton, type Edge, explore } from "./automata/automaton.ts";
import type { Ranges } from "./automata/ranges.ts";

/** A bound of a number; exclusive if the number must not equal it. */
export interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

export interface NumberLimits {
  readonly isInteger: boolean;
  readonly least: Bound | undefined;
  readonly most: Bound | undefined;
  /** The number is a multiple of `step` × 10^-`decimals`. */
  readonly multiple: { readonly step: number; readonly decimals: number } | undefined;
}

/** Most digits before the point without a bound, and after it. A double has 15 digits that are always exact. */
const MOST_DIGITS = 20;
const EXACT_DIGITS = 15;

/** A decimal number without its sign: its digits before and after the point. */
interface Magnitude {
  readonly digits: string;
  readonly fraction: string;
  readonly isExclusive: boolean;
}

/** How the digits read so far compare with as many of a bound. */
type Relation = "less" | "equal" | "more";

interface Progress {
  readonly isNegative: boolean;
  readonly phase: "start" | "sign" | "digits" | "point" | "fraction";
  /** Digits before the point, and after it. */
  readonly digits: number;
  readonly decimals: number;
  readonly isZero: boolean;
  readonly least: Relation;
  readonly most: Relation;
  readonly remainder: number;
}

const START: Progress = {
  ...{ isNegative: false, phase: "start", digits: 0, decimals: 0, isZero: false },
  ...{ least: "equal", most: "equal", remainder: 0 },
};

/** Accepts the numbers within limits, written without an exponent. */
export function numberAutomaton(limits: NumberLimits): Automaton {
  const positive = new Side(limits, limits.least, limits.most);
  const negative = new Side(limits, negated(limits.most), negated(limits.least));
  const isNeverNegative = limits.least !== undefined && limits.least.value >= 0;
  const sideOf = ({ isNegative }: Progress) => (isNegative ? negative : positive);
  return explore(
    START,
    (progress) => ({
      accepts: sideOf(progress).accepts(progress),
      edges: [
        ...(progress.phase === "start" && !isNeverNegative ? [{ on: one("-"), to: NEGATIVE } as const] : []),
        ...sideOf(progress).edges(progress),
      ],
    }),
    (progress) => Object.values(progress).join(),
  );
}

const NEGATIVE: Progress = { ...START, isNegative: true, phase: "sign" };

const negated = (bound: Bound | undefined): Bound | undefined =>
  bound && { value: -bound.value, isExclusive: bound.isExclusive };

const one = (character: string): Ranges => [[character.charCodeAt(0), character.charCodeAt(0)]];

/** The numbers on one side of zero, without their sign. */
class Side {
  readonly #limits: NumberLimits;
  readonly #least: Magnitude | undefined;
  readonly #most: Magnitude | undefined;
  readonly #isEmpty: boolean;
  readonly #mostDigits: number;
  readonly #mostDecimals: number;

  constructor(limits: NumberLimits, least: Bound | undefined, most: Bound | undefined) {
    this.#limits = limits;
    this.#least =
      least && (least.value > 0 || (least.value === 0 && least.isExclusive)) ? magnitudeOf(least) : undefined;
    this.#most = most && magnitudeOf(most);
    this.#isEmpty = most !== undefined && most.value < 0;
    const longest = Math.max(this.#least?.digits.length ?? 0, this.#most?.digits.length ?? 0);
    this.#mostDigits = this.#most?.digits.length ?? Math.max(MOST_DIGITS, longest + 1);
    this.#mostDecimals = limits.isInteger
      ? 0
      : (limits.multiple?.decimals ?? Math.max(1, EXACT_DIGITS - longest));
  }

  accepts(progress: Progress): boolean {
    const { phase, decimals, remainder } = progress;
    if (this.#isEmpty || (phase !== "digits" && phase !== "fraction")) return false;
    const { multiple } = this.#limits;
    if (multiple && (remainder * 10 ** (multiple.decimals - decimals)) % multiple.step !== 0) return false;
    const [least, most] = [ended(progress, this.#least, "least"), ended(progress, this.#most, "most")];
    return isAllowed(least, this.#least, "more") && isAllowed(most, this.#most, "less");
  }

  edges(progress: Progress): Edge<Progress>[] {
    const { phase, digits, decimals, isZero } = progress;
    if (this.#isEmpty) return [];
    if (phase === "point" || phase === "fraction")
      return decimals < this.#mostDecimals ? each((digit) => this.#decimal(progress, digit)) : [];
    const more = digits < this.#mostDigits && !isZero ? each((digit) => this.#digit(progress, digit)) : [];
    const hasPoint = phase === "digits" && this.#mostDecimals > 0;
    return hasPoint ? [...more, { on: one("."), to: this.#point(progress) }] : more;
  }

  #digit(progress: Progress, digit: number): Progress {
    const at = progress.digits;
    return {
      ...progress,
      ...{ phase: "digits", digits: at + 1, isZero: at === 0 && digit === 0 },
      least: compare(progress.least, digit, this.#least?.digits[at]),
      most: compare(progress.most, digit, this.#most?.digits[at]),
      remainder: this.#remainder(progress, digit),
    };
  }

  #point(progress: Progress): Progress {
    return {
      ...progress,
      ...{ phase: "point", digits: 0, isZero: false },
      least: atPoint(progress, this.#least, "least"),
      most: atPoint(progress, this.#most, "most"),
    };
  }

  #decimal(progress: Progress, digit: number): Progress {
    const at = progress.decimals;
    return {
      ...progress,
      ...{ phase: "fraction", decimals: at + 1 },
      least: compare(progress.least, digit, this.#least && (this.#least.fraction[at] ?? "0")),
      most: compare(progress.most, digit, this.#most && (this.#most.fraction[at] ?? "0")),
      remainder: this.#remainder(progress, digit),
    };
  }

  #remainder({ remainder }: Progress, digit: number): number {
    const step = this.#limits.multiple?.step;
    return step === undefined ? 0 : (remainder * 10 + digit) % step;
  }
}

/** One edge for each digit. */
const each = (to: (digit: number) => Progress): Edge<Progress>[] =>
  Array.from({ length: 10 }, (_, digit) => ({ on: one(String(digit)), to: to(digit) }));

/** @param bound the bound's digit; undefined if it has none here, or there is no bound */
function compare(before: Relation, digit: number, bound: string | undefined): Relation {
  if (before !== "equal" || bound === undefined) return before;
  return digit < Number(bound) ? "less" : digit > Number(bound) ? "more" : "equal";
}

/** Once all digits before the point are known, their number decides first. */
function atPoint(progress: Progress, bound: Magnitude | undefined, which: "least" | "most"): Relation {
  if (bound === undefined) return "equal";
  const surplus = progress.digits - bound.digits.length;
  return surplus < 0 ? "less" : surplus > 0 ? "more" : progress[which];
}

function ended(progress: Progress, bound: Magnitude | undefined, which: "least" | "most"): Relation {
  const relation = progress.phase === "digits" ? atPoint(progress, bound, which) : progress[which];
  const hasMore = bound !== undefined && /[1-9]/.test(bound.fraction.slice(progress.decimals));
  return relation === "equal" && hasMore ? "less" : relation;
}

const isAllowed = (relation: Relation, bound: Magnitude | undefined, allowed: Relation): boolean =>
  bound === undefined || relation === allowed || (relation === "equal" && !bound.isExclusive);

/** The digits of a bound, as JavaScript writes it. */
function magnitudeOf({ value, isExclusive }: Bound): Magnitude {
  const [mantissa = "0", exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole = "0", part = ""] = mantissa.split(".");
  const shift = Number(exponent);
  const all = whole + part;
  const point = whole.length + shift;
  const digits = (point <= 0 ? "0" : all.slice(0, point).padEnd(point, "0")).replace(/^0+(?=\d)/, "");
  const fraction = point <= 0 ? "0".repeat(-point) + all : all.slice(point);
  return { digits, fraction, isExclusive };
}
