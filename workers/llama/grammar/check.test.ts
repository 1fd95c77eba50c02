import { describe, expect, test } from "vitest";
import { checkGrammar as check } from "./check.ts";

/** As in SmolLM2's vocabulary, some characters are missing. */
const checkGrammar = (source: string) =>
  check(source, [
    [9, 13],
    [32, 0xd7ff],
    [0xe000, 0x3ffff],
  ]);

describe("a grammar is accepted", () => {
  test.each([
    'root ::= "a"',
    "# a comment\nroot ::= item+ # another\nitem ::= [a-z\\]\\x41-\\u00e9]{1,3} | .\n",
    'root ::= (\n  "a" |\n  ( "b" [^"] )?\n) end\r\nend ::= ""',
    'root ::= "x" root | "y"',
    'root ::= (word " "*)*\nword ::= [a-z]+',
    'root ::= expr\nexpr ::= term ([-+*/] term)*\nterm ::= [0-9]+ | "(" expr ")"',
    "root ::= [a-c] {2} | [-a] { 1 , }",
  ])("%s", (source) => expect(() => checkGrammar(source)).not.toThrow());
});

describe("a grammar is refused", () => {
  test.each<[string, string]>([
    ["needs the name of a rule", "::= x"],
    ["needs '::='", "root = x"],
    ["needs the end of the line", 'root ::= "a" ] "b"'],
    ["needs a known escape", 'root ::= "\\q"'],
    ["closing quote", 'root ::= "abc'],
    ["needs ')'", 'root ::= ("a"'],
    ["more than 100 deep", `root ::= ${"(".repeat(5000)}"a"${")".repeat(5000)}`],
    ["no rule 'root'", 'start ::= "a"'],
    ["uses 'b', which is not defined", "root ::= b"],
    ["refers to tokens", "root ::= <[1]>"],
    ["begins with itself", 'root ::= root "a" | "b"'],
    ["begins with itself", 'root ::= a a root "x" | "y"\na ::= b\nb ::= ""'],
    ["begins with itself", 'root ::= a "x"\na ::= [x]? b\nb ::= a | "z"'],
    ["can be empty more than 16 times", 'root ::= ("a"? "b"?){500}'],
    ["can be empty more than 16 times", 'root ::= (("a"?){9}){9}'],
    ["can be empty", 'root ::= ("a"* "b"?)*'],
    ["can be empty", 'root ::= "x" (y)+\ny ::= z\nz ::= ""'],
    ["never ends", 'root ::= "a" root'],
    ["no token for", 'root ::= "a" | "\\x04"'],
    ["no token for", 'root ::= ("a" [\\x00-\\x08])?'],
    ["no token for", "root ::= [^\\x00-\\U0010ffff]"],
    ["repetitions are too large", 'root ::= ("aaaaaaaaaa"{1900}){1900}'],
    ["more than 1999 times", 'root ::= "a"{99999999999999999999}'],
    ["more than 1999 times", 'root ::= ("a" | "b"){2000,}'],
    ["too many quantifiers", `root ::= "a"${"?".repeat(9)}`],
    [
      "in too many ways",
      `${Array.from({ length: 40 }, (_, n) => `${n === 0 ? "root" : `r${n}`} ::= r${n + 1} "a" | r${n + 1} "b"`).join("\n")}\nr40 ::= "x"`,
    ],
    ["too ambiguous", 'root ::= "a" root "b" | "a" root "c" | "a"'],
    [
      "too ambiguous",
      'root ::= "[" ws (item ("," ws item)*)? "]"\nws ::= " "?\nitem ::= one | two | [0-9]+\none ::= "[" root "]" "x"\ntwo ::= "[" root "]" "y"',
    ],
    ["NUL", 'root ::= "\0"'],
    [
      "too long a chain",
      Array.from({ length: 9000 }, (_, n) => `${n === 0 ? "root" : `r${n}`} ::= r${n + 1}\n`).join("") +
        'r9000 ::= "a"',
    ],
  ])("%s", (sentence, source) => expect(() => checkGrammar(source)).toThrow(sentence));
});
