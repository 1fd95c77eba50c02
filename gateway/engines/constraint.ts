/** What an answer must be. */
export type Constraint = {
  /** The field that says it, for errors: `structured_outputs.regex`. */
  readonly param: string;
} & (
  | { readonly kind: "json"; readonly value: object | boolean }
  | { readonly kind: "json_object"; readonly value: true }
  | { readonly kind: "regex" | "grammar"; readonly value: string }
  | { readonly kind: "choice"; readonly value: readonly string[] }
);

type JsonConstraint = Extract<Constraint, { kind: "json" | "json_object" }>;

/** A regular expression that matches these texts only. */
export const regexOfChoice = (choices: readonly string[]): string =>
  `(${choices.map((choice) => choice.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")).join("|")})`;

/** The schema of a constraint to JSON. */
export const schemaOf = (constraint: JsonConstraint) =>
  constraint.kind === "json" ? constraint.value : { type: "object" };

/** OpenAI's own field for a schema, or for any object. */
export const responseFormat = (constraint: JsonConstraint) => ({
  response_format:
    constraint.kind === "json_object"
      ? { type: "json_object" }
      : { type: "json_schema", json_schema: { name: "answer", schema: constraint.value } },
});
