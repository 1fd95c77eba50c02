/** Posts JSON. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

/** The JSON object of an answer. */
export async function json(response: Promise<Response>): Promise<Record<string, unknown>> {
  const value: unknown = await (await response).json();
  if (typeof value !== "object" || value === null) throw new Error("The answer is not an object.");
  return { ...value };
}

/** The `data:` of each server-sent event. */
export async function events(response: Promise<Response>): Promise<string[]> {
  const text = await (await response).text();
  return text
    .split("\n\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/^data: /, ""));
}

/** The text of an answer that is not streamed. */
export async function textOf(response: Promise<Response>): Promise<string> {
  const { choices } = await json(response);
  const [choice] = choices as { text?: string; message?: { content: string } }[];
  return choice?.text ?? choice?.message?.content ?? "";
}
