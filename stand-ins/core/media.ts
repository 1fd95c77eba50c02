import { createHash } from "node:crypto";

type Messages = readonly Readonly<Record<string, unknown>>[];

/** A medium in a chat. */
export interface StandInMedium {
  readonly kind: "image" | "audio" | "video";
  /** Its part's `uuid`, or a hash of its data. */
  readonly id: string;
  /** Whether it only names an embedding that an encoder has made. */
  readonly isEmbedding: boolean;
  /** Length of its data in the request, in characters. */
  readonly length: number;
}

/** The media in a chat, in their order. */
export const mediaIn = (messages: Messages): StandInMedium[] =>
  messages.flatMap(({ content }) =>
    (Array.isArray(content) ? content : []).flatMap((part) => mediumOf(part) ?? []),
  );

/**
 * The chat as the stand-ins' model reads it, which sees no picture and hears no sound: in a medium's place, there is a text with
 * its kind and id. So the same medium has the same tokens, and another one has others.
 */
export const withPlaceholders = (messages: Messages): Messages =>
  messages.map((message) => {
    const { content } = message;
    if (!Array.isArray(content)) return message;
    const parts = content.map((part: unknown) => {
      const medium = mediumOf(part);
      return medium === undefined
        ? part
        : { type: "text", text: `<${medium.kind} ${medium.id.slice(0, 12)}>` };
    });
    return { ...message, content: parts };
  });

const TYPE = /^(?:input_)?(image|audio|video)(?:_url|_embeds)?$/;

function mediumOf(part: unknown): StandInMedium | undefined {
  const { type, uuid, ...rest } = Object(part) as Record<string, unknown>;
  const kind = typeof type === "string" ? TYPE.exec(type)?.[1] : undefined;
  if (kind !== "image" && kind !== "audio" && kind !== "video") return undefined;
  const data = JSON.stringify(rest);
  const id = typeof uuid === "string" ? uuid : createHash("sha256").update(data).digest("hex");
  return { kind, id, isEmbedding: type === `${kind}_embeds`, length: data.length };
}
