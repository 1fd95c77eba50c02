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

/** The fields besides `messages` of an ordinary conversation. */
export const PLAIN = {
  tools: undefined,
  templateArguments: {},
  addsGenerationPrompt: true,
  continuesFinalMessage: false,
};
