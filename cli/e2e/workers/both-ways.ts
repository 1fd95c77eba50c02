import type OpenAI from "openai";

/** A chat's whole answer, and its streamed one with the reasoning of all pieces. */
export async function askBothWays(client: OpenAI, body: OpenAI.ChatCompletionCreateParams) {
  const whole = await client.chat.completions.create({ ...body, stream: false });
  const stream = client.chat.completions.stream({ ...body, stream: true });
  // The client keeps only the last piece of fields that it does not know.
  let reasoning = "";
  for await (const { choices } of stream)
    reasoning += String(Reflect.get(choices[0]?.delta ?? {}, "reasoning_content") ?? "");
  return { whole, streamed: await stream.finalChatCompletion(), reasoning };
}
