import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf } from "../../message-of.ts";

/** The address of a cluster's API server, and the credentials for it. */
export interface ClusterAccess {
  /** Its address, without a trailing slash. */
  readonly server: string;
  /** The default namespace. */
  readonly namespace: string;
  readonly tls: {
    readonly ca?: Buffer | undefined;
    readonly cert?: Buffer | undefined;
    readonly key?: Buffer | undefined;
    readonly rejectUnauthorized?: boolean;
    readonly servername?: string | undefined;
  };
  /** The current bearer token: one from a file changes. */
  token(): Promise<string | undefined>;
}

/** The cluster's credentials are missing or unusable; the message says why. */
export class ClusterAccessError extends Error {}

/** The folder with a pod's service-account credentials. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Reads the given file or that of KUBECONFIG; else the pod's service account, if this process runs in a pod; else the
 * file in the home folder.
 * @throws ClusterAccessError if there is none of these, or it is unusable
 */
export function findClusterAccess(
  kubeconfig: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
  account = SERVICE_ACCOUNT,
): ClusterAccess {
  const given = kubeconfig ?? env.KUBECONFIG?.split(":")[0];
  if (given) return readKubeconfig(given);
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (host !== undefined && existsSync(join(account, "token"))) return inCluster(host, port, account);
  const home = join(homedir(), ".kube", "config");
  if (existsSync(home)) return readKubeconfig(home);
  throw new ClusterAccessError(
    "No Kubernetes cluster found: this process is not in a pod with a service account, and there is no ~/.kube/config. Give --kubeconfig FILE.",
  );
}

function inCluster(host: string, port: string, account: string): ClusterAccess {
  const file = (name: string) => join(account, name);
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    namespace: readFileSync(file("namespace"), "utf8").trim(),
    tls: { ca: readFileSync(file("ca.crt")) },
    token: async () => (await readFile(file("token"), "utf8")).trim(),
  };
}

const named = <Value extends z.ZodType>(key: string, value: Value) =>
  z.array(z.looseObject({ name: z.string(), [key]: value })).default([]);

const cluster = z.looseObject({
  server: z.string().url(),
  "certificate-authority": z.string().optional(),
  "certificate-authority-data": z.string().optional(),
  "insecure-skip-tls-verify": z.boolean().optional(),
  "tls-server-name": z.string().optional(),
});
const user = z.looseObject({
  token: z.string().optional(),
  tokenFile: z.string().optional(),
  "client-certificate": z.string().optional(),
  "client-certificate-data": z.string().optional(),
  "client-key": z.string().optional(),
  "client-key-data": z.string().optional(),
  exec: z.unknown().optional(),
  "auth-provider": z.unknown().optional(),
  username: z.string().optional(),
});
const context = z.looseObject({
  cluster: z.string(),
  user: z.string().optional(),
  namespace: z.string().optional(),
});
const config = z.looseObject({
  "current-context": z.string().min(1),
  contexts: named("context", context),
  clusters: named("cluster", cluster),
  users: named("user", user),
});

/** https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
function readKubeconfig(path: string): ClusterAccess {
  const fail = (reason: string) => new ClusterAccessError(`--kubeconfig ${path}: ${reason}`);
  let document: unknown;
  try {
    document = parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw fail(messageOf(error));
  }
  const read = config.safeParse(document);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw fail(`${issue?.path.join(".") || "it"} is invalid: ${issue?.message}.`);
  }
  const { data } = read;
  const current = data["current-context"];
  const pick = <Value>(list: readonly Record<string, unknown>[], name: string, key: string): Value => {
    const found = list.find((each) => each.name === name);
    if (found === undefined) throw fail(`there is no ${key} named '${name}'.`);
    return found[key] as Value;
  };
  const chosen = pick<z.infer<typeof context>>(data.contexts, current, "context");
  const { server, ...trust } = pick<z.infer<typeof cluster>>(data.clusters, chosen.cluster, "cluster");
  const who = chosen.user === undefined ? {} : pick<z.infer<typeof user>>(data.users, chosen.user, "user");
  const unusable = ["exec", "auth-provider", "username"].find((key) => who[key] !== undefined);
  if (unusable !== undefined)
    throw fail(
      `the user of the context '${current}' authenticates with '${unusable}', which Stator does not support: use one with a token or a client certificate, such as a service account's.`,
    );
  const pathOf = (file: string) => resolve(dirname(path), file);
  const bytesOf = (inline: string | undefined, file: string | undefined): Buffer | undefined => {
    if (inline !== undefined) return Buffer.from(inline, "base64");
    if (file === undefined) return undefined;
    try {
      return readFileSync(pathOf(file));
    } catch (error) {
      throw fail(messageOf(error));
    }
  };
  const { token, tokenFile } = who;
  return {
    server: server.replace(/\/+$/, ""),
    namespace: chosen.namespace ?? "default",
    tls: {
      ca: bytesOf(trust["certificate-authority-data"], trust["certificate-authority"]),
      cert: bytesOf(who["client-certificate-data"], who["client-certificate"]),
      key: bytesOf(who["client-key-data"], who["client-key"]),
      ...(trust["tls-server-name"] !== undefined && { servername: trust["tls-server-name"] }),
      ...(trust["insecure-skip-tls-verify"] === true && { rejectUnauthorized: false }),
    },
    token: async () =>
      token ?? (tokenFile === undefined ? undefined : (await readFile(pathOf(tokenFile), "utf8")).trim()),
  };
}
