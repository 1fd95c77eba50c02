import { choice, number, text, toggle } from "../spec.ts";

/** The address of a gateway, and what its API does with requests. */
export const http = {
  host: text({
    describe: "Address to listen on; 0.0.0.0 admits other machines, which needs --keys or --open.",
    default: "127.0.0.1",
    placeholder: "ADDR",
  }),
  port: number({ describe: "Port of the API; 0 picks a free one.", default: 8000, min: 0, max: 65_535 }),
  "body-limit": number({
    describe: "Largest request body in bytes; the default allows OpenAI's 25 MB of audio.",
    default: 26 * 1024 * 1024,
    min: 1024,
    placeholder: "BYTES",
  }),
  "request-timeout": number({
    describe: "Longest time in seconds from dispatch to the last token of the answer.",
    default: 600,
    min: 0.001,
    int: false,
  }),
  translate: choice(["auto", "always", "never"], {
    describe: "Turns Messages and Responses into chats for engines: if one lacks the API (auto).",
    default: "auto",
  }),
  "stabilise-prefix": toggle(
    "Removes Claude Code's billing header, which changes with each request, from what engines get.",
  ),
  "responses-store": text({
    describe: "Where responses and conversations are kept; 64 MB of memory, or a --cluster's NATS.",
    placeholder: "memory|file:DIR|nats://HOST",
  }),
  "responses-ttl": number({
    describe: "Days that responses and conversations are kept after their last change.",
    default: 30,
    min: 0.001,
    max: 3_650,
    int: false,
    placeholder: "DAYS",
  }),
};
