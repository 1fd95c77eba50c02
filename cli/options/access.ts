import { z } from "zod";
import { list, number, text, toggle } from "./spec.ts";

const file = (describe: string) => text({ describe, placeholder: "FILE" });

const seconds = (describe: string, byDefault: number) =>
  number({ describe, default: byDefault, min: 0.1, max: 86_400, int: false });

/** The file of keys, which `stator keys` writes and a gateway reads. */
export const keysOption = file(
  "YAML or JSON file of API keys; stator keys writes it, changes count at once.",
);

/** Who may ask a gateway, and how much of its patience clients may take. */
export const access = {
  keys: keysOption,
  open: toggle("Lets everybody in who can reach --host, without keys."),
  "admin-port": number({
    describe:
      "Port of its own for /admin, /metrics and /v1/router; default: beside the API, on loopback or with an admin key.",
    min: 0,
    max: 65_535,
  }),
  "admin-host": text({
    describe: "Address of that port; needs admin keys where other machines reach it.",
    default: "127.0.0.1",
    placeholder: "ADDR",
  }),
  cors: list({
    describe: "Origins whose web pages may ask, such as https://chat.example.com; * for all. Default: none.",
    placeholder: "ORIGIN,…",
    item: z
      .string()
      .regex(/^(\*|[a-z][a-z\d+.-]*:\/\/[^/\s]+)$/i, "it must be SCHEME://HOST[:PORT], without a path"),
  }),
  "media-domains": list({
    describe:
      "Hosts that engines may fetch media of requests from; any, or none. Default: all but those of private networks.",
    placeholder: "HOST,…",
    item: z.string().regex(/^[\w.-]+$/, "it must be a host's name, any, or none"),
  }),
  "pass-all": toggle("Passes every path under /v1/ on to engines, not only those that the gateway knows."),
  "max-inflight": number({
    describe: "Requests that are answered at once; beyond, 503. Default: no limit.",
    min: 1,
    max: 1_000_000,
  }),
  "max-connections": number({
    describe: "Connections that are open at once.",
    default: 10_000,
    min: 1,
    max: 1_000_000,
  }),
  "header-limit": number({
    describe: "Largest headers of a request in bytes.",
    default: 16_384,
    min: 1024,
    max: 1_048_576,
    placeholder: "BYTES",
  }),
  "header-timeout": seconds("Seconds until a request's headers must have come.", 10),
  "body-timeout": seconds("Seconds until a request must have come whole.", 60),
  "client-timeout": seconds("Seconds for which a client may leave its answer unread.", 60),
};

/** Encryption towards engines. */
export const engineEncryption = {
  "engine-ca": file("Certificate authorities (PEM) of engines at https: addresses. Default: the system's."),
  "engine-tls-cert": file("The gateway's own certificate (PEM) for engines that ask for one."),
  "engine-tls-key": file("Its key (PEM)."),
};

/** Encryption, of the gateway's address and towards engines. */
export const encryption = {
  "tls-cert": file("Certificate (PEM, with its chain) to serve https with; changes count at once."),
  "tls-key": file("Its key (PEM)."),
  "tls-client-ca": file("Certificate authorities (PEM) of clients; with them, clients need a certificate."),
  ...engineEncryption,
};
