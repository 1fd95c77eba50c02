import type { StandInReply } from "./server.ts";

/** An error in the format of SGLang and TensorRT-LLM, which both adopted from older vLLM releases. */
export function refuse(status: number, message: string): StandInReply {
  const type = status === 400 ? "BadRequestError" : status === 404 ? "NotFoundError" : "InternalServerError";
  return { status, json: { object: "error", message, type, param: null, code: status } };
}
