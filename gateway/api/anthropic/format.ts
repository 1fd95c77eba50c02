import { randomId } from "#runtime";
import { anthropicError } from "../../kernel/anthropic-error.ts";
import { isRecord, jsonOf } from "../../kernel/json.ts";
import type { TokenResult, Usage } from "../../requests/tokens/job.ts";
import type { AnswerFormat, AnswerHead, Call } from "../openai/format.ts";

/**
 * Thinking blocks are signed by Anthropic's servers. Nobody checks this signature; clients only send it back.
 */
const SIGNATURE = "c3RhdG9y";

/** Answers of `/v1/messages`: https://docs.claude.com/en/docs/build-with-claude/streaming */
export function messagesFormat(head: AnswerHead, requestId: string): AnswerFormat {
  const { id, model, promptTokens } = head;
  const blocks = new BlockWriter();
  let stop = stopOf({ finishReason: "stop", stopString: undefined });
  const message = (more: object) => ({ id, type: "message", role: "assistant", model, ...more });
  return {
    first: () =>
      event("message_start", {
        message: message({
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: usageObject({ promptTokens, completionTokens: 0, cachedTokens: 0 }),
        }),
      }),
    text: (_, text) => (text === "" ? "" : blocks.add("text", text)),
    reasoning: (_, text) => (text === "" ? "" : blocks.add("thinking", text)),
    call: (_, name) => blocks.begin("tool_use", { type: "tool_use", id: newToolId(), name, input: {} }),
    arguments: (_, json) => blocks.add("tool_use", json),
    echo: () => "",
    last(_, result) {
      stop = stopOf(result);
      return blocks.end();
    },
    end: (usage) =>
      event("message_delta", { delta: stop, usage: usageObject(usage) }) + event("message_stop", {}),
    error: (error) => `event: error\ndata: ${JSON.stringify(anthropicError(error, requestId))}\n\n`,
    whole: ([answer], usage) => {
      const { text, reasoning, calls } = answer!;
      const content = [
        ...(reasoning === "" ? [] : [{ type: "thinking", thinking: reasoning, signature: SIGNATURE }]),
        ...(text === "" ? [] : [{ type: "text", text }]),
        ...calls.map(toolUse),
      ];
      return message({ content, ...stopOf(answer!), usage: usageObject(usage) });
    },
  };
}

type BlockType = "text" | "thinking" | "tool_use";

/** What of each type of block comes in pieces. */
const DELTAS = {
  text: { type: "text_delta", field: "text", empty: { type: "text", text: "" } },
  thinking: {
    type: "thinking_delta",
    field: "thinking",
    empty: { type: "thinking", thinking: "", signature: "" },
  },
  tool_use: { type: "input_json_delta", field: "partial_json", empty: {} },
};

/** Writes the events of content blocks, one after the other. */
class BlockWriter {
  #open: BlockType | undefined;
  #index = -1;
  /** The constant beginning of the open block's deltas. */
  #delta = "";

  /** Adds to the open block, or to a new one if that is of another type. */
  add(type: BlockType, piece: string): string {
    const begin = this.#open === type ? "" : this.begin(type, DELTAS[type].empty);
    return `${begin}${this.#delta}${JSON.stringify(piece)}}}\n\n`;
  }

  begin(type: BlockType, block: object): string {
    const end = this.end();
    this.#open = type;
    this.#index++;
    const delta = DELTAS[type];
    this.#delta = `event: content_block_delta\ndata: {"type":"content_block_delta","index":${this.#index},"delta":{"type":"${delta.type}","${delta.field}":`;
    return end + event("content_block_start", { index: this.#index, content_block: block });
  }

  end(): string {
    if (this.#open === undefined) return "";
    const index = this.#index;
    const signature =
      this.#open === "thinking"
        ? event("content_block_delta", { index, delta: { type: "signature_delta", signature: SIGNATURE } })
        : "";
    this.#open = undefined;
    return signature + event("content_block_stop", { index });
  }
}

const event = (type: string, fields: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;

const newToolId = () => `toolu_${randomId()}`;

function toolUse({ name, arguments: json }: Call) {
  const input = jsonOf(json);
  return { type: "tool_use", id: newToolId(), name, input: isRecord(input) ? input : {} };
}

const REASONS = { stop: "end_turn", length: "max_tokens", tool_calls: "tool_use" } as const;

function stopOf({ finishReason, stopString }: Pick<TokenResult, "finishReason" | "stopString">) {
  return stopString === undefined
    ? { stop_reason: REASONS[finishReason], stop_sequence: null }
    : { stop_reason: "stop_sequence", stop_sequence: stopString };
}

/** Here, the tokens of the input are without those that were cached. */
const usageObject = ({ promptTokens, completionTokens, cachedTokens }: Usage) => ({
  input_tokens: promptTokens - cachedTokens,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: cachedTokens,
  output_tokens: completionTokens,
});
