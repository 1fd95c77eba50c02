import { upTo } from "./automata/automaton.ts";
import { automatonRules, plain } from "./gbnf/automaton-rules.ts";
import { oneOf, Rules, repeat, rule, text } from "./gbnf/rules.ts";
import { writeGrammar } from "./gbnf/write.ts";

/** Texts around a model's reasoning. */
export interface ReasoningTexts {
  readonly begin: string;
  readonly end: string;
}

/** Most blanks between reasoning and answer. */
const MOST_BLANKS = 4;

/**
 * The grammar of an answer before which the model may reason.
 * @param gbnf of the answer alone, which does not begin with a blank
 */
export function reasoningGrammar(gbnf: string, { begin, end }: ReasoningTexts): string {
  const answer = freeName("answer-itself", gbnf);
  const hint = freeName("reasoning", gbnf);
  const rules = new Rules();
  const reasoning = automatonRules(rules, upTo(end), hint, plain);
  const blank = rules.add(hint, [[oneOf([[0x09, 0x0a]])], [oneOf([[0x20, 0x20]])]]);
  const first = rules.add(hint, [[text(begin), rule(reasoning), repeat(blank, 0, MOST_BLANKS)]]);
  const [, ...lines] = writeGrammar(rules, first)!.split("\n");
  return [`root ::= ${answer} | ${first} ${answer}`, ...lines, withoutRoot(gbnf, answer)].join("\n");
}

/** A name that occurs nowhere in the grammar. */
function freeName(name: string, gbnf: string): string {
  let free = name;
  while (gbnf.includes(free)) free += "x";
  return free;
}

/** The grammar with another name for its root: outside texts, classes and comments. */
const withoutRoot = (gbnf: string, name: string) =>
  gbnf.replaceAll(/"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*|(?<![\w-])root(?![\w-])/g, (found) =>
    found === "root" ? name : found,
  );
