import { z } from "zod";

/** A route in the OpenAPI description. */
export interface Operation {
  method: "get" | "post" | "delete" | "patch";
  path: string;
  summary: string;
  description: string;
  requestSchema?: z.ZodType;
  isBodyOptional?: boolean;
  /** Whether the body is a form instead of JSON. A file in the example is its name. */
  isForm?: boolean;
  example?: object;
  /** Query parameters and their descriptions. */
  query?: Record<string, string>;
  /** Response descriptions by status; `default` for any other. */
  responses: Record<string, string>;
  /** The status, other than 2xx, whose body is not an error. */
  unlikeErrors?: string;
}

/** The JSON schema of the operation's body. */
export const bodySchema = (schema: z.ZodType, { isForm }: Pick<Operation, "isForm">) =>
  // A file has no schema but its description.
  z.toJSONSchema(schema, { io: "input", unrepresentable: isForm ? "any" : "throw" });
