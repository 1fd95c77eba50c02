import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { binaryOf } from "./hosts.ts";

const root = join(import.meta.dirname, "..");

/** A workerd with one worker. */
export interface WorkerdServer {
  url: string;
  close(): Promise<void>;
}

/**
 * Starts workerd on a free port with the worker in the module `entry`. Nothing is bundled: each imported file becomes a
 * separate module with its types stripped, and a `.wasm` file becomes a compiled module.
 */
export async function startWorkerd(entry: string): Promise<WorkerdServer> {
  const folder = await mkdtemp(join(tmpdir(), "stator-workerd-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const config = join(folder, "config.capnp");
  await writeFile(config, configOf(await writeModules(entry, folder)));
  try {
    const { url, close } = await serveWorkerd(config);
    return { url, close: () => close().then(remove) };
  } catch (error) {
    await remove();
    throw error;
  }
}

/**
 * Starts workerd with a configuration whose socket is named `http`, on a free port.
 * @throws Error if it ends before it listens
 */
export async function serveWorkerd(config: string, env: NodeJS.ProcessEnv = {}): Promise<WorkerdServer> {
  const args = ["serve", config, "--control-fd=3", "--socket-addr=http=127.0.0.1:0"];
  const child = spawn(binaryOf("workerd"), args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async () => {
    child.kill();
    await ended;
  };
  try {
    return { url: `http://127.0.0.1:${await portOf(child)}`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The port in workerd's message about its listening socket. */
async function portOf(child: ChildProcess): Promise<number> {
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`workerd ended with ${code} before it listened.`)));
  });
  const listens = (async () => {
    for await (const line of createInterface({ input: child.stdio[3] as Readable })) {
      const { event, port } = JSON.parse(line);
      if (event === "listen") return port as number;
    }
    return failed;
  })();
  return Promise.race([listens, failed]);
}

/** Copies `entry` and all its imports to `folder` with types stripped. Returns their paths, the entry's first. */
async function writeModules(entry: string, folder: string): Promise<string[]> {
  const modules = [relative(root, entry)];
  for (const path of modules) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    const file = await readFile(join(root, path));
    if (path.endsWith(".wasm")) {
      await writeFile(target, file);
      continue;
    }
    const script = stripTypeScriptTypes(file.toString());
    await writeFile(target, script);
    for (const [, specifier] of script.matchAll(/^(?:import|export)\s[^;]*?from "(\.[^"]+)"/gm)) {
      const imported = join(dirname(path), specifier!);
      if (!modules.includes(imported)) modules.push(imported);
    }
  }
  return modules;
}

function configOf(modules: string[]): string {
  const lines = modules.map((path) => {
    const kind = path.endsWith(".wasm") ? "wasm" : "esModule";
    return `    (name = "${path}", ${kind} = embed "${path}"),`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);

const worker :Workerd.Worker = (
  modules = [
${lines.join("\n")}
  ],
  compatibilityDate = "2026-01-01",
);
`;
}
