import type { z } from "zod";

/** A route in the OpenAPI description. */
export interface Operation {
  method: "get" | "post" | "delete" | "patch";
  path: string;
  summary: string;
  description: string;
  requestSchema?: z.ZodType;
  isBodyOptional?: boolean;
  example?: object;
  /** Query parameters and their descriptions. */
  query?: Record<string, string>;
  /** Response descriptions by status; `default` for any other. */
  responses: Record<string, string>;
  /** The status, other than 2xx, whose body is not an error. */
  unlikeErrors?: string;
}
