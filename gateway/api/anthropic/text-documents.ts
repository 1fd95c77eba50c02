import { isRecord } from "../../kernel/json.ts";
import type { MessagesRequest } from "./schemas.ts";

type Messages = MessagesRequest["messages"];
type Block = Exclude<Messages[number]["content"], string>[number];
type Document = Extract<Block, { type: "document" }>;

/** Whether a document has its text in the request, and is no file. */
export const isText = (source: unknown): boolean =>
  isRecord(source) && (source.type === "text" || source.type === "content");

/** The messages with text blocks in place of documents, also in the results of tools. */
export const withDocumentsAsText = (messages: Messages) =>
  messages.map(({ role, content }) => ({
    role,
    content: typeof content === "string" ? content : content.map(blockAsText),
  }));

function blockAsText(block: Block) {
  if (block.type !== "tool_result" || !Array.isArray(block.content)) return asText(block);
  return { ...block, content: block.content.map(asText) };
}

const asText = <Other extends { readonly type: string }>(block: Other | Document) =>
  isDocument(block) ? ({ type: "text", text: textOf(block) } as const) : block;

const isDocument = (block: { readonly type: string }): block is Document => block.type === "document";

/** The title, what the client says about the document, and the text itself. */
function textOf({ title, context, source }: Document): string {
  const text = source.type === "text" ? source.data : source.content;
  const texts = typeof text === "string" ? [text] : text.map((block) => block.text);
  return [title, context, ...texts].filter((each) => each).join("\n");
}
