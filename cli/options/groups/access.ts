import { z } from "zod";
import { choice, list, number, text, toggle } from "../spec.ts";

export const file = (describe: string) => text({ describe, placeholder: "FILE" });

const seconds = (describe: string, byDefault: number) =>
  number({ describe, default: byDefault, min: 0.1, max: 86_400, int: false });

/** The key file, which `stator keys` writes and a gateway reads. */
export const keysOption = file(
  "YAML or JSON file of API keys; stator keys writes it, and changes take effect at once.",
);

/** Who can use a gateway, and its limits on clients. */
export const access = {
  keys: keysOption,
  open: toggle("Admits every client that can reach --host, without keys."),
  "admin-port": number({
    describe:
      "Separate port for /admin, /metrics and /v1/router. Default: the API's, on loopback or with an admin key.",
    min: 0,
    max: 65_535,
  }),
  "admin-host": text({
    describe: "Address of that port; needs admin keys if other machines can reach it.",
    default: "127.0.0.1",
    placeholder: "ADDR",
  }),
  isolate: choice(["none", "key", "group"], {
    describe: "Whose requests share cached prompts: those of one key, of a key's group, or (none) of all.",
    default: "none",
  }),
  "isolation-secret": file(
    "Secret behind --isolate, 16 random bytes or more, the same for all gateways. Default: a new one at each start.",
  ),
  "shared-prompts": list({
    describe: "Files with system prompts that keys may share in caches in spite of --isolate, on workers.",
    placeholder: "FILE,…",
  }),
  cors: list({
    describe:
      "Origins whose web pages can send requests, such as https://chat.example.com; * for all. Default: none.",
    placeholder: "ORIGIN,…",
    item: z
      .string()
      .regex(/^(\*|[a-z][a-z\d+.-]*:\/\/[^/\s]+)$/i, "it must be SCHEME://HOST[:PORT], without a path"),
  }),
  "pass-all": toggle("Passes every path under /v1/ on to engines, not only those the gateway knows."),
  "max-inflight": number({
    describe: "Most concurrent requests; beyond, 503. Default: no limit.",
    min: 1,
    max: 1_000_000,
  }),
  "max-connections": number({
    describe: "Most open connections.",
    default: 10_000,
    min: 1,
    max: 1_000_000,
  }),
  "header-limit": number({
    describe: "Largest total size of a request's headers in bytes.",
    default: 16_384,
    min: 1024,
    max: 1_048_576,
    placeholder: "BYTES",
  }),
  "header-timeout": seconds("Seconds within which a request's headers must arrive.", 10),
  "body-timeout": seconds("Seconds within which a whole request must arrive.", 60),
  "client-timeout": seconds("Seconds for which a client can leave its answer unread.", 60),
};

/** TLS to engines. */
export const engineEncryption = {
  "engine-ca": file("Certificate authorities (PEM) for https: engines. Default: the system's."),
  "engine-tls-cert": file("The gateway's client certificate (PEM) for engines that require one."),
  "engine-tls-key": file("Its key (PEM)."),
};

/** TLS to workers. */
export const workerEncryption = {
  "worker-ca": file("Certificate authorities (PEM) for workers with TLS. Default: the system's."),
  "worker-tls-cert": file("The gateway's client certificate (PEM) for workers that require one."),
  "worker-tls-key": file("Its key (PEM)."),
  "worker-tls-name": text({
    describe: "Name that workers' certificates must have. Default: the host of each worker's address.",
    placeholder: "NAME",
  }),
};

/** TLS of the gateway's own address and to engines. */
export const encryption = {
  "tls-cert": file("Certificate (PEM, with its chain) to serve https; changes take effect at once."),
  "tls-key": file("Its key (PEM)."),
  "tls-client-ca": file("Certificate authorities (PEM) of clients; they must then present a certificate."),
  ...engineEncryption,
};
