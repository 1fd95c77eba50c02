import { readFileSync } from "node:fs";
import { extname, join } from "node:path";

/** Content parts with the files that `writeMediaFiles` has written into a folder. */
export class MediaRequests {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A part of a chat. */
  part(name: string): object {
    const type = `${typeOf(name).split("/")[0]}_url`;
    return { type, [type]: { url: this.dataUrl(name) } };
  }

  /** A part of a message. */
  source(name: string): object {
    return {
      type: "image",
      source: { type: "base64", media_type: typeOf(name), data: this.base64(name) },
    };
  }

  dataUrl(name: string): string {
    return `data:${typeOf(name)};base64,${this.base64(name)}`;
  }

  base64(name: string): string {
    return readFileSync(join(this.#folder, name)).toString("base64");
  }
}

const TYPES: Readonly<Record<string, string>> = {
  ".jpg": "image/jpeg",
  ".mp4": "video/mp4",
  ".wav": "audio/wav",
};
const typeOf = (name: string) => TYPES[extname(name)] ?? `image/${extname(name).slice(1)}`;

export const text = (text: string) => ({ type: "text", text });

export const chat = (...content: object[]) => ({
  max_tokens: 1,
  temperature: 0,
  messages: [{ role: "user", content }],
});
