import fc from "fast-check";
import { expect, test } from "vitest";
import { bothOf, wrongSentences } from "./test-oracle.ts";

/** A schema, and values that satisfy it with their keys in the schema's order. */
interface Sample {
  readonly schema: Record<string, unknown>;
  readonly values: readonly unknown[];
}

const VALUES = 3;

/** A sample whose values come from an arbitrary. */
const sampleOf = (schema: Record<string, unknown>, value: fc.Arbitrary<unknown>): fc.Arbitrary<Sample> =>
  fc.array(value, { minLength: VALUES, maxLength: VALUES }).map((values) => ({ schema, values }));

const characters = fc.string({ unit: "grapheme", maxLength: 12 });

const strings = fc.tuple(fc.nat(3), fc.nat(5)).chain(([least, more]) =>
  sampleOf(
    { type: "string", minLength: least, maxLength: least + more },
    fc
      .array(fc.constantFrom("a", '"', "\\", "\n", "\u0001", "é", "😀", "\u007f"), {
        minLength: least,
        maxLength: least + more,
      })
      .map((all) => all.join("")),
  ),
);

const patterns = fc
  .constantFrom("^[a-c]+$", "x|y", '^"?\\d{2,4}', "(ab)*$", "\\s", "^.?.?$")
  .chain((pattern) => sampleOf({ type: "string", pattern }, fc.stringMatching(new RegExp(pattern, "u"))));

const integers = fc
  .tuple(fc.integer({ min: -5000, max: 5000 }), fc.nat(5000))
  .chain(([minimum, size]) =>
    sampleOf(
      { type: "integer", minimum, maximum: minimum + size },
      fc.integer({ min: minimum, max: minimum + size }),
    ),
  );

const numbers = fc
  .tuple(fc.integer({ min: -3000, max: 3000 }), fc.integer({ min: 1, max: 3000 }), fc.boolean())
  .chain(([least, size, isExclusive]) =>
    sampleOf(
      isExclusive
        ? { type: "number", exclusiveMinimum: least / 100, exclusiveMaximum: (least + size) / 100 }
        : { type: "number", minimum: least / 100, maximum: (least + size) / 100 },
      fc.integer({ min: least * 10 + 1, max: (least + size) * 10 - 1 }).map((value) => value / 1000),
    ),
  );

const simple = fc.oneof(
  sampleOf({ type: "string" }, characters),
  sampleOf({ type: "integer" }, fc.maxSafeInteger()),
  sampleOf({ type: "number" }, fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 })),
  sampleOf({ type: "boolean" }, fc.boolean()),
  sampleOf({ type: ["null", "integer"] }, fc.constantFrom(null, 7)),
  fc
    .array(fc.oneof(characters, fc.integer(), fc.constant(null)), { minLength: 1, maxLength: 4 })
    .chain((values) => sampleOf({ enum: values }, fc.constantFrom(...values))),
  ...[strings, patterns, integers, numbers],
);

const pick = (sample: Sample): fc.Arbitrary<unknown> => fc.constantFrom(...sample.values);

const arrays = (item: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc
    .tuple(item, fc.nat(2), fc.nat(3))
    .chain(([of, least, more]) =>
      sampleOf(
        { type: "array", items: of.schema, minItems: least, maxItems: least + more },
        fc.array(pick(of), { minLength: least, maxLength: least + more }),
      ),
    );

const tuples = (item: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc.array(item, { minLength: 1, maxLength: 3 }).chain((parts) =>
    sampleOf(
      {
        type: "array",
        prefixItems: parts.map(({ schema }) => schema),
        items: false,
        minItems: parts.length,
      },
      fc.tuple(...parts.map(pick)),
    ),
  );

const keys = fc.oneof(fc.constantFrom("a", "b", 'quote"d', "日本"), fc.stringMatching(/^[a-z ]{1,6}$/));

const objects = (item: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc
    .tuple(
      fc.uniqueArray(fc.tuple(keys, item, fc.boolean()), { maxLength: 4, selector: ([key]) => key }),
      fc.option(item),
    )
    .chain(([members, additional]) =>
      sampleOf(
        {
          type: "object",
          properties: Object.fromEntries(members.map(([key, { schema }]) => [key, schema])),
          required: members.flatMap(([key, , isRequired]) => (isRequired ? [key] : [])),
          additionalProperties: additional?.schema ?? false,
        },
        fc
          .tuple(
            fc.tuple(
              ...members.map(([key, sample, isRequired]) =>
                pick(sample).chain((value) =>
                  isRequired ? fc.constant([key, value]) : fc.constantFrom(undefined, [key, value]),
                ),
              ),
            ),
            additional === null
              ? fc.constant([])
              : fc.array(
                  pick(additional).map((value) => ["Extra", value]),
                  { maxLength: 1 },
                ),
          )
          .map(([own, extra]) => Object.fromEntries([...own, ...extra].filter((each) => each !== undefined))),
      ),
    );

const anyOf = (item: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  fc.array(item, { minLength: 1, maxLength: 3 }).map((parts) => ({
    schema: { anyOf: parts.map(({ schema }) => schema) },
    values: parts.flatMap(({ values }) => values),
  }));

const referenced = (item: fc.Arbitrary<Sample>): fc.Arbitrary<Sample> =>
  item.map(({ schema, values }) => ({ schema: { allOf: [schema, { description: "x" }] }, values }));

const { schema: samples } = fc.letrec<{ schema: Sample }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    simple,
    arrays(tie("schema")),
    tuples(tie("schema")),
    objects(tie("schema")),
    objects(tie("schema")),
    anyOf(tie("schema")),
    referenced(tie("schema")),
  ),
}));

test("grammars of random schemas accept what satisfies them, and make nothing else", {
  timeout: 60_000,
}, () => {
  fc.assert(
    fc.property(samples, fc.nat(), ({ schema, values }, seed) => {
      const { grammar, validate } = bothOf(schema);
      for (const value of values) {
        expect([value, validate(value)]).toEqual([value, true]);
        expect([value, grammar.accepts(JSON.stringify(value))]).toEqual([value, true]);
      }
      expect(wrongSentences(schema, 10, seed)).toEqual([]);
    }),
    { numRuns: Number(process.env.FUZZ_RUNS ?? 50) },
  );
});
