import { randomId } from "#runtime";

/** The id of a tool call, in the form of OpenAI's. */
export const newCallId = () => `call_${randomId()}`;
