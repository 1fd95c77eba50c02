import { Template } from "@huggingface/jinja";

/** ChatML, with tools as JSON in a separate system message. */
export const CHAT_TEMPLATE = `{%- if tools -%}
{{- '<|im_start|>system\\n# Tools\\n' -}}
{%- for tool in tools -%}{{- (tool | tojson) + '\\n' -}}{%- endfor -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- elif message['content'] -%}
{%- for part in message['content'] -%}{%- if part['text'] -%}{{- part['text'] -}}{%- endif -%}{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;

const template = new Template(CHAT_TEMPLATE);

/** The input of the chat template. */
export interface Chat {
  messages: readonly Readonly<Record<string, unknown>>[];
  tools?: readonly unknown[] | null | undefined;
  chat_template_kwargs?: Readonly<Record<string, unknown>> | null | undefined;
  /** Default true. */
  add_generation_prompt?: boolean | undefined;
  /** Whether the last message is a partial answer to continue. */
  continue_final_message?: boolean | undefined;
}

/** Renders a chat as text. */
export function renderChat(chat: Chat): string {
  const continues = chat.continue_final_message ?? false;
  const text = template.render({
    ...chat.chat_template_kwargs,
    messages: [...chat.messages],
    tools: chat.tools?.length ? [...chat.tools] : undefined,
    add_generation_prompt: !continues && (chat.add_generation_prompt ?? true),
  });
  return continues ? text.slice(0, text.lastIndexOf("<|im_end|>")) : text;
}
