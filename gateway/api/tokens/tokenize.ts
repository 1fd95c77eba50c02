import type { Context } from "hono";
import type { GatewayEnv } from "../../access/env.ts";
import { invalidRequest } from "../../kernel/errors.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import { chatConversation } from "../../prompts/chat-conversation.ts";
import { refuseOverlongText } from "../../prompts/limits.ts";
import { withBos } from "../../prompts/tokenizers/tokenizer.ts";
import type { Vocabulary } from "../../prompts/tokenizers/vocabulary.ts";
import { Detokenizer } from "../../requests/tokens/detokenizer.ts";
import type { GatewayDependencies } from "../dependencies.ts";
import { workersOf } from "../named-model.ts";
import { checkMessages, templateMessage } from "../openai/chat-messages.ts";
import { readConversation } from "../openai/chat-prompt.ts";
import { countMedia } from "../openai/count-media.ts";
import { kindsTaken, type OwnPromptMedia, readOwnMedia } from "../openai/own-media.ts";
import { beginRequest, requireApi } from "../openai/request.ts";
import { tokenOutOfRange } from "../openai/sampling.ts";
import { allowedCalls } from "../openai/tool-choice.ts";
import { refuseUnsupported, validate } from "../openai/validate.ts";
import { detokenizeRequest, type TokenizeRequest, tokenizeRequest } from "./schemas.ts";

const UNSUPPORTED = {
  chat_template: "Leave it out: the model's own template is used.",
  mm_processor_kwargs: "Leave it out.",
};

/** No tokens are computed, so none count. */
const NO_TOKENS = { promptTokens: 0, completionTokens: 0 };

/** `POST /v1/tokenize` */
export async function tokenize(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
): Promise<Response> {
  refuseUnsupported(raw, UNSUPPORTED);
  checkMessages(raw, kindsTaken(dependencies, raw));
  const body = validate(tokenizeRequest, raw);
  const model = workersOf(context, dependencies.models, raw);
  const read = readerOf(body, raw, model);
  const request = beginRequest(context, body, model, "tokenize", NO_TOKENS, dependencies);
  const { card, tokenizer } = model;
  const found = await readOwnMedia(context, dependencies, model, { messages: body.messages ?? [] });
  const { tokens: written, media } = await read(found);
  const ofMedia = media && (await countMedia(context, dependencies, model, media, request.preferences));
  const tokens = Array.from(written);
  const answer = {
    count: tokens.length + (ofMedia ?? 0),
    max_model_len: card.contextLength,
    tokens,
    token_strs: body.return_token_strs ? tokens.map((id) => textOf(id, tokenizer.vocabulary)) : null,
  };
  request.onSettled(200);
  return context.json(answer, 200, request.headers);
}

/** `POST /v1/detokenize` */
export async function detokenize(
  context: Context<GatewayEnv>,
  dependencies: GatewayDependencies,
  raw: unknown,
): Promise<Response> {
  const body = validate(detokenizeRequest, raw);
  const model = workersOf(context, dependencies.models, raw);
  const { vocabularySize } = model.card;
  const wrong = body.tokens.findIndex((id) => id >= vocabularySize);
  if (wrong >= 0) throw tokenOutOfRange(body.tokens[wrong]!, vocabularySize, `tokens[${wrong}]`);
  const request = beginRequest(context, body, model, "tokenize", NO_TOKENS, dependencies);
  const { vocabulary } = model.tokenizer;
  const detokenizer = new Detokenizer(vocabulary, new Set(vocabulary.controlTokens.keys()));
  const prompt = body.tokens.map((id) => detokenizer.push(id)).join("") + detokenizer.flush();
  request.onSettled(200);
  return context.json({ prompt }, 200, request.headers);
}

/** A text or conversation as a prompt. @param media those of the conversation */
type Reader = (media: RequestMedia) => Promise<{ tokens: Uint32Array; media?: OwnPromptMedia | undefined }>;

/**
 * Tokenizes the request's text or conversation.
 * @throws ApiError 400 if it has both, or neither
 */
function readerOf(body: TokenizeRequest, raw: unknown, model: WorkerSide): Reader {
  const { prompt, messages } = body;
  const hasPrompt = prompt !== undefined && prompt !== null;
  const hasBos = body.add_special_tokens !== false;
  if (!messages) {
    if (hasPrompt) return async () => ({ tokens: await ofText(prompt, model, hasBos) });
    const sentence = "Missing required parameter: send 'prompt', a text, or 'messages', a conversation.";
    throw invalidRequest(sentence, "prompt", "missing_required_parameter");
  }
  if (hasPrompt) throw invalidRequest("Send either 'prompt' or 'messages', not both.", "prompt");
  if (body.add_generation_prompt && body.continue_final_message) {
    throw invalidRequest(
      "'add_generation_prompt' and 'continue_final_message' exclude each other. Leave one of them out.",
      "continue_final_message",
    );
  }
  requireApi(model, "chat");
  const { tools } = allowedCalls(body);
  const conversation = chatConversation(raw, messages.map(templateMessage));
  return (media) => readConversation(model, { conversation, param: "messages", media }, tools, hasBos);
}

/**
 * Texts up to this length, in UTF-16 units, are tokenized even if they are longer than the context, as documents are
 * before they are divided. A worker does nothing else meanwhile, for about a tenth of a second.
 */
const FREE_LENGTH = 256 * 1024;

async function ofText(text: string, model: WorkerSide, hasBos: boolean): Promise<Uint32Array> {
  if (text.length > FREE_LENGTH) refuseOverlongText(text, model, "prompt");
  const tokens = await model.tokenizer.encode(text);
  return hasBos ? withBos(tokens, model.card) : tokens;
}

/** The token's text; U+FFFD stands for bytes that are no whole characters. */
const textOf = (id: number, vocabulary: Vocabulary): string =>
  vocabulary.text(id) ?? lenient.decode(vocabulary.bytes(id));

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
