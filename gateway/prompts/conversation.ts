import type { ToolDefinition } from "./tool-definitions.ts";

/** A message in the format that chat templates expect. */
export type Message = Readonly<Record<string, unknown>>;

/** A request's prompt as a chat, to which engines convert requests of all APIs. */
export interface Conversation {
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[] | undefined;
  /** Additional variables for the chat template. */
  readonly templateArguments: Readonly<Record<string, unknown>>;
  readonly addsGenerationPrompt: boolean;
  readonly continuesFinalMessage: boolean;
}

/**
 * Where pictures in the results of tools are: with the result's text, or in a user's message after it, as in chats of
 * engines, where results are text.
 */
export type ResultPictures = "in-results" | "after-results";

/** The fields besides `messages` of an ordinary conversation. */
export const PLAIN = {
  tools: undefined,
  templateArguments: {},
  addsGenerationPrompt: true,
  continuesFinalMessage: false,
};
