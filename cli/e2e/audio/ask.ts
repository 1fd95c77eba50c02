import { toFile } from "openai";

export const TEXT = "ever tried\never failed";

/** A file for OpenAI's client, which a stenographer hears as its text. */
export const file = (text = TEXT) => toFile(Buffer.from(text), "speech.wav");

interface Asked {
  readonly fields?: Readonly<Record<string, string>>;
  readonly blob?: Blob;
  readonly init?: RequestInit;
  readonly path?: string;
}

/** Sends a form with the file `speech.wav`. @param url the gateway's */
export function ask(
  url: string,
  { fields = {}, blob = new Blob([TEXT]), init = {}, path = "/v1/audio/transcriptions" }: Asked = {},
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ model: "speech", ...fields })) form.set(name, value);
  form.set("file", blob, "speech.wav");
  return fetch(url + path, { method: "POST", body: form, ...init });
}
