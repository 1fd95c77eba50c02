import type { Grammar } from "#runtime";
import type { ReasoningTexts } from "../../grammars/index.ts";
import type { Medium } from "../../media/medium.ts";
import type { RequestMedia } from "../../media/read-media.ts";
import type { WorkerSide } from "../../models/model.ts";
import type { ReasoningFormat, Tools } from "../../parsers/types.ts";
import { textOf } from "../../prompts/content.ts";
import type { Conversation, Message } from "../../prompts/conversation.ts";
import { answerTokens, refuseOverlongConversation, refuseOverlongText } from "../../prompts/limits.ts";
import { MarkedMedia } from "../../prompts/marked-media.ts";
import { withBos } from "../../prompts/tokenizers/tokenizer.ts";
import type { AnswerReading } from "../../requests/tokens/job.ts";
import { chatGrammar } from "./chat-grammar.ts";
import { type OwnPromptMedia, ownPrompt } from "./own-media.ts";
import type { StructuredFields } from "./structured-output.ts";
import type { AllowedCalls } from "./tool-choice.ts";

/** A conversation to answer. */
export interface ChatQuestion {
  readonly conversation: Conversation;
  readonly calls: AllowedCalls;
  /** Longest answer in tokens; default: as long as the context allows. */
  readonly maxTokens: number | null | undefined;
  /** What the answer must be. */
  readonly structured: StructuredFields;
  /** The field of the request that has the conversation, for errors. */
  readonly param: string;
  /** Its media; default: none. */
  readonly media?: RequestMedia | undefined;
}

/** A conversation as a prompt, and how its answer is read. */
export interface ChatPrompt {
  readonly tokens: Uint32Array;
  /** Set if it has media, for which the tokens have nothing. */
  readonly media: OwnPromptMedia | undefined;
  readonly maxTokens: number;
  readonly reading: AnswerReading | undefined;
  readonly grammar: Grammar | undefined;
}

/**
 * Renders and tokenizes a conversation to answer.
 * @throws ApiError 400 if it does not fit, or the template refuses it
 */
export async function readChat(model: WorkerSide, question: ChatQuestion): Promise<ChatPrompt> {
  const { calls, maxTokens, structured, param } = question;
  const { text, ...divided } = await writeConversation(model, question, calls.tools);
  const prompt = await placed(question, divided, withBos(divided.written, model.card));
  return {
    ...prompt,
    maxTokens: answerTokens(prompt.tokens.length, maxTokens, model, param),
    ...formOf(model, calls, structured, text),
  };
}

/**
 * A conversation as a prompt, whether or not it is to be answered.
 * @param tools those that the model may call
 * @param hasBos whether it begins with the beginning-of-sequence token, if the model has one
 * @throws ApiError 400 if it certainly does not fit the context, or the template refuses it
 */
export async function readConversation(
  model: WorkerSide,
  question: Pick<ChatQuestion, "conversation" | "param" | "media">,
  tools: Tools,
  hasBos: boolean,
): Promise<Pick<ChatPrompt, "tokens" | "media">> {
  const divided = await writeConversation(model, question, tools);
  return placed(question, divided, hasBos ? withBos(divided.written, model.card) : divided.written);
}

/** A rendered conversation. */
interface Written {
  /** Its tokens, with nothing in the place of media. */
  readonly written: Uint32Array;
  readonly shown: readonly Medium[];
  /** How many of the tokens precede each of them. */
  readonly positions: readonly number[];
}

async function writeConversation(
  model: WorkerSide,
  { conversation, param, media }: Pick<ChatQuestion, "conversation" | "param" | "media">,
  tools: Tools,
): Promise<Written & { readonly text: string }> {
  const marked =
    media !== undefined && media.size > 0 ? new MarkedMedia(conversation, media, param) : undefined;
  const text = renderConversation(model, marked?.conversation ?? conversation, tools, param);
  return { text, ...(await encodeDivided(model, marked?.divide(text) ?? { texts: [text] })) };
}

/** @param tokens those written, perhaps after a first one */
async function placed(
  { media, param }: Pick<ChatQuestion, "media" | "param">,
  { written, shown, positions }: Written,
  tokens: Uint32Array,
) {
  if (shown.length === 0) return { tokens, media: undefined };
  const shift = tokens.length - written.length;
  const shifted = positions.map((position) => position + shift);
  const located = shown.map((medium) => [medium, media?.pathOf(medium)] as const);
  return { tokens, media: await ownPrompt(tokens, located, shifted, param) };
}

/** Tokenizes texts one by one, so that none of their tokens reaches over a medium between two of them. */
async function encodeDivided(
  { tokenizer }: WorkerSide,
  { texts, media: shown = [] }: { readonly texts: readonly string[]; readonly media?: readonly Medium[] },
): Promise<Written> {
  const parts = await Promise.all(texts.map((text) => (text === "" ? NOTHING : tokenizer.encode(text))));
  const written = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0));
  const positions: number[] = [];
  let at = 0;
  for (const part of parts) {
    written.set(part, at);
    at += part.length;
    positions.push(at);
  }
  return { written, positions: positions.slice(0, shown.length), shown };
}

const NOTHING = new Uint32Array(0);

function renderConversation(
  model: WorkerSide,
  conversation: Conversation,
  tools: Tools,
  param: string,
): string {
  refuseOverlongConversation(conversation.messages, model.card);
  const length = conversation.messages.reduce((sum, { content }) => sum + textOf(content).length, 0);
  refuseOverlongText({ length }, model, param);
  const text = model.template.render(offering(conversation, tools));
  refuseOverlongText(text, model, param);
  return text;
}

/** The conversation with only those tools that the model may call, and with reasoning under all its names. */
function offering(conversation: Conversation, allowed: Tools): Conversation {
  const tools = conversation.tools?.filter(({ function: { name } }) => allowed.has(String(name)));
  const messages = conversation.messages.map(withReasoning);
  return { ...conversation, messages, tools: tools?.length === 0 ? undefined : tools };
}

/** Templates differ in the name that they read. */
function withReasoning(message: Message): Message {
  const reasoning = message.reasoning_content ?? message.reasoning;
  if (reasoning === undefined || reasoning === null) return message;
  return { ...message, reasoning_content: reasoning, reasoning };
}

/**
 * What form the answer has, and how it is read.
 * @param prompt the prompt's text
 */
function formOf(
  model: WorkerSide,
  allowed: AllowedCalls,
  structured: StructuredFields,
  prompt: string,
): Pick<ChatPrompt, "reading" | "grammar"> {
  const { reasoningFormat: reasoning } = model;
  const { tools, isSingle } = allowed;
  const isInside = reasoning?.beginsInside(prompt) === true;
  const before = isInside ? reasoning?.end : optionalReasoning(reasoning, prompt);
  const { grammar, toolFormat } = chatGrammar(model, allowed, structured, before);
  const calls = toolFormat && tools.size > 0 ? { format: toolFormat, tools } : undefined;
  if (calls === undefined && reasoning === undefined) return { reading: undefined, grammar };
  return { reading: { formats: { calls, reasoning }, isInside, isSingleCall: isSingle }, grammar };
}

/** The reasoning with which the answer may begin; undefined if the prompt says that there is none. */
function optionalReasoning(
  reasoning: ReasoningFormat | undefined,
  prompt: string,
): ReasoningTexts | undefined {
  if (reasoning?.begin === undefined || prompt.trimEnd().endsWith(reasoning.end)) return undefined;
  return { begin: reasoning.begin, end: reasoning.end };
}
