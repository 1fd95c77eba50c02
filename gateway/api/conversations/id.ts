/** Begins the ids of conversations. */
export const CONVERSATION = "conv_";

/** Whether an id may be that of a conversation which the gateway keeps. Engines' own begin otherwise, or are longer. */
export const isOwnConversation = (id: string): boolean => /^conv_[0-9a-z]{16}$/.test(id);

/** The id of the conversation that a request names. */
export const conversationIdOf = (
  conversation: string | { readonly id: string } | null | undefined,
): string | undefined => (typeof conversation === "string" ? conversation : conversation?.id);
