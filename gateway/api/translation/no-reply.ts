import type { WireReply } from "../../wire/types.ts";

/** Drops an answer: there is no client whose connection could be full or lost. */
export const noReply = (): WireReply => ({
  response: new Response(null),
  isHolding: false,
  onWritable: undefined,
  onAbort: undefined,
  write: () => true,
  finish: () => {},
  writeText: () => true,
  end: () => {},
  destroy: () => {},
});
