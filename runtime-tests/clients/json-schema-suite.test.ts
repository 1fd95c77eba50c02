import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { schemaGrammar } from "../../gateway/grammars/index.ts";
import { ReferenceGrammar } from "../../gateway/grammars/reference-gbnf.ts";
import { ApiError } from "../../gateway/kernel/errors.ts";

/** The release of PyPI's `jsonschema` whose source distribution carries the JSON Schema Test Suite. */
const RELEASE = "4.26.0";

interface Group {
  description: string;
  schema: object | boolean;
  tests: { description: string; data: unknown; valid: boolean }[];
}

/** A verdict of the suite that the schema's grammar does not share. */
interface Difference {
  name: string;
  schema: object | boolean;
  data: unknown;
  accepts(data: unknown): boolean;
}

const folder = mkdtempSync(join(tmpdir(), "stator-json-schema-"));
const suite = join(folder, `jsonschema-${RELEASE}`, "json", "tests");

beforeAll(() => {
  const python = join(import.meta.dirname, "python", ".venv", "bin", "python");
  const pip = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
  const source = ["--no-binary", "jsonschema", `jsonschema==${RELEASE}`];
  execFileSync(python, [...pip, "--dest", folder, ...source], { stdio: ["ignore", "inherit", "inherit"] });
  execFileSync("tar", ["-xzf", join(folder, `jsonschema-${RELEASE}.tar.gz`), "-C", folder]);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the grammars of a folder's schemas make of its data. */
function judge(path: string) {
  const wrong: string[] = [];
  const missed: Difference[] = [];
  let groups = 0;
  let claimed = 0;
  for (const file of readdirSync(path).filter((name) => name.endsWith(".json"))) {
    const inFile: Group[] = JSON.parse(readFileSync(join(path, file), "utf8"));
    for (const { description, schema, tests } of inFile) {
      groups++;
      const grammar = grammarOf(schema);
      if (grammar === undefined) continue;
      claimed++;
      const accepts = (data: unknown) => grammar.accepts(JSON.stringify(data));
      for (const { description: what, data, valid } of tests) {
        const name = `${file}: ${description}: ${what}`;
        if (accepts(data) === valid) continue;
        if (valid) missed.push({ name, schema, data, accepts });
        else wrong.push(name);
      }
    }
  }
  return { wrong, missed, groups, claimed };
}

/** The schema's grammar; undefined if it is refused with the path of what cannot be kept to. */
function grammarOf(schema: object | boolean): ReferenceGrammar | undefined {
  let grammar: string;
  try {
    grammar = schemaGrammar(schema, "schema");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    expect(error).toMatchObject({ status: 400, param: expect.stringMatching(/^schema/) });
    return undefined;
  }
  return new ReferenceGrammar(grammar);
}

/** Keywords that stand for a type if a schema names none, in grammars: a `minimum` makes a number. */
const IMPLIED: readonly (readonly [type: string, keywords: RegExp])[] = [
  ["object", /^(properties|patternProperties|additionalProperties|required|m..Properties|propertyNames)$/],
  ["array", /^(items|prefixItems|m..Items|additionalItems)$/],
  ["string", /^(pattern|m..Length|format)$/],
  ["number", /^(minimum|maximum|exclusiveM..imum|multipleOf)$/],
];

const typeOf = (data: unknown) => (Array.isArray(data) ? "array" : data === null ? "null" : typeof data);

/** Whether the schema names no type, but its keywords imply another than the data's, here or in a member. */
function isOfAnotherType(schema: object | boolean, data: unknown): boolean {
  if (typeof schema === "boolean" || "type" in schema) return false;
  const keywords = Object.keys(schema);
  const implied = IMPLIED.filter(([, pattern]) => keywords.some((keyword) => pattern.test(keyword)));
  return implied.length > 0 && implied.every(([type]) => type !== typeOf(data));
}

/** Whether the data has keys that the schema does not name: they come only if the schema says so. */
function hasUnnamedKeys(schema: object | boolean, data: unknown): boolean {
  if (typeof schema === "boolean" || typeOf(data) !== "object" || "additionalProperties" in schema)
    return false;
  const named = "properties" in schema ? Object.keys(Object(schema.properties)) : [];
  const patterns = "patternProperties" in schema ? Object.keys(Object(schema.patternProperties)) : [];
  return Object.keys(Object(data)).some(
    (key) => !named.includes(key) && !patterns.some((pattern) => new RegExp(pattern, "u").test(key)),
  );
}

/** Whether the grammar has the same object with its keys in another order. */
function isInAnotherOrder({ data, accepts }: Difference): boolean {
  if (typeOf(data) !== "object") return false;
  return orders(Object.entries(Object(data))).some((entries) => accepts(Object.fromEntries(entries)));
}

const orders = <Item>(items: readonly Item[]): Item[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) => orders(items.toSpliced(index, 1)).map((rest) => [item, ...rest]));

/** Whether the difference is that the suite takes formats for annotations. */
const isAnnotation = ({ name }: Difference) =>
  /^format\.json: .* is only an annotation by default$/.test(name);

const isIntended = (difference: Difference) =>
  isAnnotation(difference) ||
  isOfAnotherType(difference.schema, difference.data) ||
  hasUnnamedKeys(difference.schema, difference.data) ||
  isInAnotherOrder(difference);

/** What else grammars leave out. */
const NARROWER = [
  // Members without a type that are objects by their keywords.
  "ref.json: root pointer ref: match",
  "ref.json: root pointer ref: recursive match",
  // Keywords beside $ref count in every draft.
  "ref.json: ref overrides any sibling keywords: ref valid, maxItems ignored",
  // Keywords count, whatever the vocabulary says.
  "vocabulary.json: schema that uses custom metaschema with with no validation vocabulary: no validation: invalid number, but it still validates",
];

describe("the JSON Schema Test Suite", () => {
  test.for([
    ["draft2020-12", 165],
    ["draft2019-09", 171],
    ["draft7", 163],
  ] as const)("%s: grammars accept what is valid, and nothing else", ([draft, least]) => {
    const { wrong, missed, groups, claimed } = judge(join(suite, draft));
    console.log(`${draft}: ${claimed} of ${groups} schemas have a grammar; the others are refused by name`);
    expect(claimed).toBeGreaterThanOrEqual(least);
    expect(wrong).toEqual([]);
    const unexpected = missed.filter((each) => !isIntended(each)).map(({ name }) => name);
    expect(unexpected.filter((name) => !NARROWER.includes(name))).toEqual([]);
  });

  test("formats of strings: grammars accept nothing that is not one", () => {
    const { wrong, missed, claimed } = judge(join(suite, "draft2020-12", "optional", "format"));
    expect(claimed).toBeGreaterThanOrEqual(9);
    expect(wrong).toEqual([]);
    // Leap seconds, lower-case letters in times, and rare spellings of mail and web addresses.
    expect(
      missed.map(({ name }) => name.split(".")[0]).filter((file) => !NARROWED_FORMATS.has(file!)),
    ).toEqual([]);
  });
});

/** Formats of which the grammar makes the usual spellings only. */
const NARROWED_FORMATS = new Set(["date-time", "time", "email", "uri"]);
