import { z } from "zod";

/** The name of a tool that a client offers; OpenAI allows fewer characters. */
export const toolName = z
  .string()
  .min(1)
  .max(256)
  .regex(/^[\p{L}\p{N}_.:/-]*$/u, "a tool's name consists of letters, digits, '_', '-', '.', ':' and '/'.");
