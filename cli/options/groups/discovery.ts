import { text } from "../spec.ts";
import { workerEncryption } from "./access.ts";

export const discovery = text({
  describe:
    "Where workers and gateways meet: file:/dir on one machine, etcd://HOST:PORT, nats://HOST:PORT, kubernetes:SERVICE.",
  placeholder: "URL",
});

export const events = text({
  describe:
    "Where gateways get KV events: workers; or nats://HOST:PORT, once for all; nats: for the servers in use.",
  default: "workers",
  placeholder: "URL",
});

export const nats = text({
  describe: "NATS servers for workers that listen on nats:. Default: those of --discovery nats://….",
  placeholder: "URL",
});

/** How the gateways in front of the same workers find and reach each other. */
export const peers = {
  "peer-listen": text({
    describe:
      "Address for other gateways to share load: tcp:host:port, unix:/path, nats: or none. Default: as for workers.",
    placeholder: "ADDR",
  }),
  "peer-advertise": text({
    describe: "Address at which other gateways reach that port. Default: as for workers.",
    placeholder: "HOST[:PORT]",
  }),
  nats,
  ...workerEncryption,
};
