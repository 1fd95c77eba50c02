import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { schemaGrammar } from "./index.ts";
import { ReferenceGrammar } from "./reference-gbnf.ts";

const ajv = new Ajv2020({ strict: false, multipleOfPrecision: 9 });
formats.default(ajv);

/** A schema's own grammar, and ajv's judgement. */
export function bothOf(schema: object | boolean): { grammar: ReferenceGrammar; validate: ValidateFunction } {
  return { grammar: new ReferenceGrammar(schemaGrammar(schema, "schema")), validate: ajv.compile(schema) };
}

/** Numbers from 0 up to 1, the same for a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Sentences of a schema's grammar that do not satisfy the schema: there must be none. */
export function wrongSentences(schema: object | boolean, count = 40, seed = 1): string[] {
  const { grammar, validate } = bothOf(schema);
  const random = randomOf(seed);
  const sentences = Array.from({ length: count }, (_, index) => grammar.sentence(random, 10 + index));
  return sentences.filter((sentence) => !validate(JSON.parse(sentence)) || !grammar.accepts(sentence));
}
