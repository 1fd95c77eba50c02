import { z } from "zod";
import { strictObject } from "../strict-object.ts";

/** A JSON schema, as an object or, as vLLM also takes it, as the text of one. */
const jsonSchema = z.union([z.record(z.string(), z.unknown()), z.string(), z.boolean()]);
const choice = z.array(z.string()).min(1);

/** What an answer may consist of: OpenAI's parameter, and vLLM's with its older names. */
export const structuredOutput = {
  response_format: z
    .object({
      type: z.enum(["text", "json_object", "json_schema"]),
      json_schema: z
        .object({
          name: z.string().nullish(),
          description: z.string().nullish(),
          schema: jsonSchema,
          strict: z.boolean().nullish(),
        })
        .nullish(),
    })
    .refine(({ type, json_schema: own }) => type !== "json_schema" || (own !== undefined && own !== null), {
      path: ["json_schema"],
      message: "it is missing; the type json_schema needs it.",
    })
    .nullish()
    .describe("What the answer is: text, a json_object, or JSON that satisfies a json_schema."),
  structured_outputs: strictObject({
    json: jsonSchema.nullish(),
    regex: z.string().nullish(),
    choice: choice.nullish(),
    grammar: z.string().min(1).nullish(),
    json_object: z.boolean().nullish(),
  })
    .nullish()
    .describe(
      "vLLM's parameter: the answer satisfies a JSON schema (json), matches a regex, is one choice of a list, or keeps to a grammar in GBNF.",
    ),
  guided_json: jsonSchema.nullish().describe("The same as structured_outputs.json."),
  guided_regex: z.string().nullish().describe("The same as structured_outputs.regex."),
  guided_choice: choice.nullish().describe("The same as structured_outputs.choice."),
  guided_grammar: z.string().min(1).nullish().describe("The same as structured_outputs.grammar."),
};
