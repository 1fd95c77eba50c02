import OpenAI from "openai";

export interface Streamed {
  text: string;
  ids: Set<string>;
  finishReason: string | undefined;
  usage: OpenAI.CompletionUsage | undefined;
}

/** Reads one streamed chat to its end. @throws what the SDK throws */
export async function streamChat(
  openai: OpenAI,
  content: string,
  maxTokens: number,
  onText?: (text: string) => void,
  stator?: object,
  model = "tiny",
): Promise<Streamed> {
  const stream = await openai.chat.completions.create({
    model,
    messages: [{ role: "user", content }],
    max_tokens: maxTokens,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
    // The stand-in's model would stop at random.
    ...{ ignore_eos: true, stator },
  });
  const streamed: Streamed = { text: "", ids: new Set(), finishReason: undefined, usage: undefined };
  for await (const chunk of stream) {
    streamed.ids.add(chunk.id);
    streamed.usage = chunk.usage ?? streamed.usage;
    const [choice] = chunk.choices;
    streamed.text += choice?.delta.content ?? "";
    streamed.finishReason = choice?.finish_reason ?? streamed.finishReason;
    if (choice?.delta.content) onText?.(streamed.text);
  }
  return streamed;
}

/** A client without retries. */
export const clientOf = (url: string, apiKey = "none") =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
