import { CALL, CHANNEL, END, FRAMING, MESSAGE, RETURN, readHeader, START } from "../reading/harmony.ts";
import type { Step, TextReader } from "../reading/text-reader.ts";
import { harmony } from "../tools/harmony.ts";
import type { ReasoningFormat, TextSink } from "../types.ts";

const ANALYSIS = "analysis";

/**
 * `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…<|return|>`: gpt-oss. What is in
 * other channels is text, without the tokens around it.
 * Source: https://cookbook.openai.com/articles/openai-harmony
 */
export const gptOss: ReasoningFormat = {
  name: "gpt-oss",
  matches: (hints) => harmony.matches(hints),
  end: END,
  controls: FRAMING,
  beginsInside: (prompt) => {
    const last = prompt.slice(prompt.lastIndexOf(CHANNEL) + CHANNEL.length);
    return last.startsWith(ANALYSIS) && last.includes(MESSAGE) && !last.includes(END);
  },
  *read(reader, sink, { isInside, calls }) {
    let isReasoning = isInside;
    let marker: string | undefined = (yield* beginsWithRecipient(reader)) ? START : "";
    while (marker !== undefined) {
      if (marker === START || marker === CHANNEL) {
        reader.mark();
        const header = yield* readHeader(reader);
        if (header === undefined) reader.rewind();
        reader.forget();
        isReasoning = header?.channel === ANALYSIS && header.recipient === undefined;
        // The parser of calls reads the message with a header of its own.
        if (header?.isComplete && header.recipient !== undefined && calls?.format === harmony) {
          sink.text(`${CHANNEL}${header.channel} to=${header.recipient}${MESSAGE}`);
          yield* passCall(reader, sink);
        }
      } else if (marker !== "") isReasoning &&= marker !== END && marker !== RETURN && marker !== CALL;
      marker = yield* reader.past(FRAMING, (text) => (isReasoning ? sink.reasoning(text) : sink.text(text)));
    }
  },
};

/** Whether the answer begins with the function that it calls: the prompt ends with `<|start|>assistant`. */
function* beginsWithRecipient(reader: TextReader): Step<boolean> {
  reader.mark();
  yield* reader.skipSpace();
  const isRecipient = yield* reader.tryText("to=");
  reader.rewind();
  reader.forget();
  return isRecipient;
}

/** Passes on a message, and a token that ends it. */
function* passCall(reader: TextReader, sink: TextSink): Step<void> {
  const marker = yield* reader.upTo([CALL, END, RETURN, START, CHANNEL], (text) => sink.text(text));
  if (marker === undefined) return;
  sink.text(CALL);
  if (marker !== START && marker !== CHANNEL) reader.skip(marker.length);
}
