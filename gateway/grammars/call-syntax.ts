import { type Item, oneOf, type Rules, repeat, type Sequence, text } from "./gbnf/rules.ts";
import type { JsonRules } from "./json-rules.ts";

/** How a model writes calls whose arguments are JSON. */
export interface CallSyntax {
  /** The texts one of which begins them. */
  readonly begins: readonly string[];
  /** What can follow it. */
  readonly forms: readonly CallForm[];
}

export type CallForm =
  /** `{"name": …, "arguments": …}` and `end`; a further call begins with `more`. */
  | { readonly kind: "objects"; readonly end: string; readonly more: string }
  /** `[{"name": …, "arguments": …}, …]` and `end`. */
  | { readonly kind: "list"; readonly end: string }
  /** `before`, the name, `between`, the arguments and `after`; a further call begins with `more`, and `end` is last. */
  | {
      readonly kind: "named";
      readonly before: string;
      /** Whether a colon and the call's number follow the name. */
      readonly isNumbered?: boolean;
      readonly between: string;
      readonly after: string;
      readonly more: string;
      readonly end: string;
    };

/** The rules of the calls that one can make. */
export interface CallRules {
  /** A JSON object with a call's name and arguments. */
  readonly object: () => Item;
  /** The ways to write a call by its name. */
  readonly named: (before: string, between: Sequence) => Item;
  readonly json: JsonRules;
}

/** What follows the text that begins the calls. @param parallel whether there may be several */
export function formRule(
  rules: Rules,
  form: CallForm,
  { object, named, json }: CallRules,
  parallel: boolean,
): Sequence {
  const again = (sequence: Sequence): Item =>
    repeat(rules.add("more-calls", [sequence]), 0, parallel ? Number.POSITIVE_INFINITY : 0);
  const { blank } = json;
  switch (form.kind) {
    case "objects": {
      const first = [blank, object(), blank, text(form.end)];
      return [...first, again([blank, text(form.more), ...first])];
    }
    case "list": {
      const call = object();
      return [
        blank,
        text("["),
        blank,
        call,
        again([text(","), blank, call]),
        blank,
        text("]"),
        text(form.end),
      ];
    }
    case "named": {
      const digits = rules.add("digit", [[oneOf([[0x30, 0x39]])]]);
      const number = form.isNumbered ? [text(":"), repeat(digits, 1, 3)] : [];
      const call = [named(form.before, [...number, text(form.between)]), text(form.after)];
      return [...call, again([text(form.more), ...call]), text(form.end)];
    }
  }
}
