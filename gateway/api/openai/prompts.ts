import type { WorkerSide } from "../../models/model.ts";
import { refuseOverlongText } from "../../prompts/limits.ts";
import { withBos } from "../../prompts/tokenizers/tokenizer.ts";
import { Detokenizer } from "../../requests/tokens/detokenizer.ts";
import { tokenOutOfRange } from "./sampling.ts";

/** A prompt as text or token ids, or several of either. */
export type PromptInput = string | string[] | number[] | number[][];

export interface TokenizedPrompt {
  tokens: Uint32Array;
  text: string;
  /** The path of the parameter, for errors. */
  param: string;
}

/**
 * Reads the prompts of a request, each as token ids and as text.
 * @param param the parameter's name, for errors
 * @throws ApiError 400 for text that cannot fit the context, or an id outside the vocabulary
 */
export async function readPrompts(
  input: PromptInput,
  model: WorkerSide,
  param: string,
): Promise<TokenizedPrompt[]> {
  if (typeof input === "string") return [await fromText(input, model, param)];
  if (isTokenIds(input)) return [fromTokens(input, model, param)];
  return Promise.all(
    input.map((item, index) => {
      const path = `${param}[${index}]`;
      return typeof item === "string" ? fromText(item, model, path) : fromTokens(item, model, path);
    }),
  );
}

const isTokenIds = (input: string[] | number[] | number[][]): input is number[] =>
  typeof input[0] === "number";

async function fromText(text: string, model: WorkerSide, param: string): Promise<TokenizedPrompt> {
  refuseOverlongText(text, model, param);
  return { tokens: withBos(await model.tokenizer.encode(text), model.card), text, param };
}

function fromTokens(ids: readonly number[], model: WorkerSide, param: string): TokenizedPrompt {
  const { vocabularySize } = model.card;
  const wrong = ids.findIndex((id) => id >= vocabularySize);
  if (wrong >= 0) throw tokenOutOfRange(ids[wrong]!, vocabularySize, `${param}[${wrong}]`);
  const detokenizer = new Detokenizer(model.tokenizer.vocabulary);
  const text = ids.map((id) => detokenizer.push(id)).join("") + detokenizer.flush();
  return { tokens: Uint32Array.from(ids), text, param };
}
