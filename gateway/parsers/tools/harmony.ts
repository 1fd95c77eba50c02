import { CALL, CHANNEL, END, FRAMING, RETURN, readHeader, START } from "../reading/harmony.ts";
import { passArguments } from "../reading/json-arguments.ts";
import { Nonsense } from "../reading/text-reader.ts";
import type { ToolFormat } from "../types.ts";

/** An answer may begin with a recipient, because the prompt ends with `<|start|>assistant`. */
const RECIPIENT = "to=";

/**
 * `<|channel|>commentary to=functions.f <|constrain|>json<|message|>{…}<|call|>`: gpt-oss. The tokens that frame other
 * messages are dropped.
 * Source: https://cookbook.openai.com/articles/openai-harmony
 */
export const harmony: ToolFormat = {
  name: "harmony",
  matches: ({ template, model }) =>
    (template.includes(CHANNEL) && template.includes("<|message|>")) || model.includes("gpt-oss"),
  begins: FRAMING,
  opens: [RECIPIENT],
  ends: [CALL, END, RETURN],
  controls: FRAMING,
  *read(reader, calls, { begin }) {
    if (begin !== START && begin !== CHANNEL && begin !== RECIPIENT) return;
    const header = yield* readHeader(reader);
    if (begin === RECIPIENT && !header?.isComplete) throw new Nonsense("Expected a message.");
    // Only the token is dropped.
    if (header === undefined) reader.rewind();
    if (!header?.isComplete || header.recipient === undefined) return;
    const ends = [CALL, END, RETURN, START];
    const hasArguments = Boolean(yield* reader.following(["{", ...ends]));
    const name = header.recipient.replace(/^functions\./, "");
    // Python, say, is text.
    if (!hasArguments || name === "") return;
    yield* passArguments(reader, calls, name, { ends });
    yield* reader.skipSpace();
    if (!(yield* reader.tryText(CALL))) yield* reader.tryText(END);
  },
};
