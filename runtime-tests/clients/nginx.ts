import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../runtime/free-ports.ts";

/** An nginx that forwards all requests to one server, with its defaults unless told otherwise. */
export class Nginx implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";

  /**
   * Starts nginx and waits until it answers.
   * @param directives further ones of its server, such as `proxy_buffering off`
   * @throws Error with its output if it ends
   */
  static async start(upstream: string, directives: readonly string[] = []): Promise<Nginx> {
    const folder = await mkdtemp(join(tmpdir(), "stator-nginx-"));
    const port = await freePort();
    await writeFile(join(folder, "nginx.conf"), configuration(folder, port, upstream, directives));
    const nginx = new Nginx(folder, port);
    await nginx.#waitUntilUp();
    return nginx;
  }

  private constructor(folder: string, port: number) {
    this.url = `http://127.0.0.1:${port}`;
    this.#folder = folder;
    const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"];
    this.#process = spawn("/usr/sbin/nginx", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#ended = once(this.#process, "close");
    this.#process.stderr!.on("data", (chunk) => {
      this.#output = (this.#output + chunk).slice(-10_000);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#ended;
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #waitUntilUp(): Promise<void> {
    for (;;) {
      if (this.#process.exitCode !== null) throw new Error(`nginx has ended:\n${this.#output}`);
      const isUp = await fetch(`${this.url}/v1/models`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return;
      await sleep(50);
    }
  }
}

/** A minimal configuration: the port, the upstream, and a separate folder for all files. */
function configuration(
  folder: string,
  port: number,
  upstream: string,
  directives: readonly string[],
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
master_process off;
pid ${join(folder, "pid")};
events {}
http {
  access_log off;
  ${temporary.map((each) => `${each}_temp_path ${join(folder, each)};`).join("\n  ")}
  server {
    listen 127.0.0.1:${port};
    ${directives.map((each) => `${each};`).join("\n    ")}
    location / { proxy_pass ${upstream}; }
  }
}
`;
}
