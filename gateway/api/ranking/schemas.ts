import { z } from "zod";
import { optionalModel } from "../named-model.ts";
import { routing } from "../openai/schemas.ts";

/** The request bodies of `/v1/rerank`, as in Jina's and Cohere's APIs and vLLM, and of `/v1/score`, as in vLLM. */

/** Most texts in one request. */
const MOST_TEXTS = 2048;

const text = z.string().min(1);
const document = z.union([text, z.object({ text })]);

export const rerankRequest = z.object({
  model: optionalModel,
  query: document.describe("What to search for: a string, or {text}."),
  documents: z
    .array(document)
    .min(1)
    .max(MOST_TEXTS)
    .describe("The documents to rank: strings, or objects with a text."),
  top_n: z.number().int().min(0).nullish().describe("How many of the best to return; default (and 0): all."),
  return_documents: z.boolean().nullish().describe("Whether to return the documents' texts; default true."),
  ...routing,
});

const texts = z.union([text, z.array(text).min(1).max(MOST_TEXTS)]);

export const scoreRequest = z.object({
  model: optionalModel,
  text_1: texts.nullish().describe("A text, or a list of texts."),
  text_2: texts.nullish().describe("As many texts as in text_1; or any number, if text_1 is a single one."),
  data_1: texts.nullish().describe("Another name of text_1."),
  data_2: texts.nullish().describe("Another name of text_2."),
  queries: texts.nullish().describe("Another name of text_1."),
  documents: texts.nullish().describe("Another name of text_2."),
  items: texts.nullish().describe("Another name of text_2."),
  ...routing,
});

export type RerankRequest = z.infer<typeof rerankRequest>;
export type ScoreRequest = z.infer<typeof scoreRequest>;
