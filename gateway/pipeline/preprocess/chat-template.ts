import { Template } from "@huggingface/jinja";
import { invalidRequest } from "../../errors.ts";

export interface TemplateMessage {
  role: string;
  content: string;
  name?: string;
}

export interface ChatTemplate {
  /**
   * The prompt text of a conversation, ending where the assistant's answer begins.
   * @throws ApiError 400 where the template refuses the conversation (two user turns in a row, say)
   */
  render(messages: readonly TemplateMessage[]): string;
  /** Stop strings that the template needs because its model has no token that ends a turn. */
  readonly stops: readonly string[];
}

/**
 * For a model that has no chat template of its own, such as a base model: plain turns, each begun with the
 * role's name, and a stop string where the model would go on with the user's next turn.
 */
const DEFAULT_TEMPLATE =
  "{% for message in messages %}" +
  "{% if message.role == 'system' %}{{ message.content }}\n\n" +
  "{% else %}{{ message.role | capitalize }}: {{ message.content }}\n{% endif %}" +
  "{% endfor %}Assistant:";
const DEFAULT_STOPS = ["\nUser:"];

/** Compiles a model's template (Jinja, as in Hugging Face's `tokenizer_config.json`), or the default one. */
export function createChatTemplate(
  source: string | undefined,
  specialTokens: { bos?: string | undefined; eos?: string | undefined },
): ChatTemplate {
  const template = new Template(source ?? DEFAULT_TEMPLATE);
  return {
    stops: source === undefined ? DEFAULT_STOPS : [],
    render(messages) {
      try {
        return template.render({
          messages,
          add_generation_prompt: true,
          bos_token: specialTokens.bos ?? "",
          eos_token: specialTokens.eos ?? "",
        });
      } catch (error) {
        if (error instanceof Error && error.name === "ApiError") throw error;
        const reason = error instanceof Error ? error.message : String(error);
        throw invalidRequest(
          `The model's chat template refused the conversation: ${reason}`,
          "messages",
          "chat_template_refused",
        );
      }
    },
  };
}
