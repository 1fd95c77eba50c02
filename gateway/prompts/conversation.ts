import type { ToolDefinition } from "./tool-definitions.ts";

/** A message as chat templates are given it. */
export type Message = Readonly<Record<string, unknown>>;

/** A request's prompt as a chat, which engines make of it whatever API it came by. */
export interface Conversation {
  readonly messages: readonly Message[];
  readonly tools: readonly ToolDefinition[] | undefined;
  /** Further variables of the chat template. */
  readonly templateArguments: Readonly<Record<string, unknown>>;
  readonly addsGenerationPrompt: boolean;
  readonly continuesFinalMessage: boolean;
}

/** What most conversations have beside their messages. */
export const PLAIN = {
  tools: undefined,
  templateArguments: {},
  addsGenerationPrompt: true,
  continuesFinalMessage: false,
};
