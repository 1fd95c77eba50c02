import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { accepts, upTo } from "./automata/automaton.ts";
import { choiceGrammar, jsonObjectGrammar, reasoningGrammar } from "./index.ts";
import { ReferenceGrammar } from "./reference-gbnf.ts";

const THINK = { begin: "<think>", end: "</think>" };

describe("an automaton up to a text", () => {
  test.each(["</think>", "aab", "aaa", "abab", "｜ende｜", "x"])("%s ends where it is first found", (end) => {
    const character = fc.constantFrom(...end, "<", "a", "ü", "\n");
    fc.assert(
      fc.property(fc.array(character, { maxLength: 12 }), fc.boolean(), (characters, ends) => {
        const text = characters.join("") + (ends ? end : "");
        const isFirst = text.indexOf(end) >= 0 && text.indexOf(end) === text.length - end.length;
        expect(accepts(upTo(end), text)).toBe(isFirst);
      }),
    );
  });
});

describe("an answer before which the model may reason", () => {
  const grammar = new ReferenceGrammar(reasoningGrammar(choiceGrammar(["yes", "no"], "x"), THINK));

  test.each([
    ["yes", true],
    ["<think>Hm.</think>no", true],
    ["<think></think>\n\nno", true],
    ['<think>a < b, </thin, {}\n"quoted"</think> \n\tyes', true],
    ["<think>once</think><think>twice</think>yes", false],
    ["<think>yes", false],
    ["<think>Hm.</think>", false],
    ["<think>Hm.</think>\n\n\n\n\nno", false],
    ["Hm.</think>yes", false],
    [" yes", false],
    ["maybe", false],
  ])("%j: %j", (text, isAccepted) => {
    expect(grammar.accepts(text)).toBe(isAccepted);
  });

  test("keeps a grammar's own names, texts and classes", () => {
    const gbnf = [
      'root ::= "root" [root] root-2 | "(" root ")" # root',
      'root-2 ::= "reasoning" "\\"root\\""',
      "",
    ].join("\n");
    const wrapped = reasoningGrammar(gbnf, THINK);
    expect(wrapped).toContain('answer-itself ::= "root" [root] root-2 | "(" answer-itself ")" # root');
    expect(wrapped).toContain('root-2 ::= "reasoning" "\\"root\\""');
    expect(wrapped).toMatch(/^root ::= answer-itself \| reasoningx-\d+ answer-itself\n/);
  });

  test("can be any JSON", () => {
    const json = new ReferenceGrammar(reasoningGrammar(jsonObjectGrammar(), THINK));
    expect(json.accepts('<think>I need {"a": 1}.</think>\n\n{"a": [1, true]}')).toBe(true);
    expect(json.accepts('<think>I need {"a": 1}.</think>\n\n{"a": [1, true}')).toBe(false);
  });
});
