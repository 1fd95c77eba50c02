import { type DescMessage, fromJson, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { z } from "zod";

/**
 * A schema of discovery values: protobuf messages in their proto3 JSON form. Unknown fields are ignored, and absent ones
 * have their defaults, so that the values of older and newer versions are understood. Faults name the field.
 *
 * @param message describes the message
 * @param shape checks it, and drops what it does not know
 * @param prepare changes the message before that
 */
export function discoveryValue<Message extends DescMessage, Output>(
  message: Message,
  shape: z.ZodType<Output>,
  prepare: (value: MessageShape<Message>) => unknown = (value) => value,
): z.ZodType<Output> {
  return z
    .unknown()
    .transform((value, context) => {
      try {
        return prepare(read(message, value));
      } catch {
        context.addIssue({ code: "custom", ...faultIn(message, value) });
        return z.NEVER;
      }
    })
    .pipe(shape as z.ZodType<Output, unknown>);
}

const read = <Message extends DescMessage>(message: Message, value: unknown): MessageShape<Message> =>
  fromJson(message, value as JsonValue, { ignoreUnknownFields: true });

/** The path of the first field that is not as its message describes it, and what is wrong with it. */
function faultIn(message: DescMessage, value: unknown): { path: string[]; message: string } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { path: [], message: "it is not an object" };
  for (const [name, each] of Object.entries(value)) {
    try {
      read(message, { [name]: each });
    } catch (error) {
      const field = message.fields.find((known) => [known.jsonName, known.name].includes(name));
      if (field?.message === undefined || field.fieldKind !== "message")
        return { path: [name], message: reasonOf(error) };
      const inner = faultIn(field.message, each);
      return { ...inner, path: [name, ...inner.path] };
    }
  }
  return { path: [], message: "it is not a valid message" };
}

const reasonOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
