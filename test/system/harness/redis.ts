// A Redis server for one test, on a port of its own, that can be killed, paused
// and brought back. It keeps nothing on disk: a cache must do without.

import { freePorts } from "./ports.ts";
import { Running } from "./process.ts";
import { until } from "./wait.ts";

export class RedisServer {
  readonly port: number;
  readonly #settings: readonly string[];
  #running: Running;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
    this.#running = this.#spawn();
  }

  /** `settings` as redis-server takes them: `--maxmemory`, `10485760`. */
  static async start(...settings: readonly string[]): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    const server = new RedisServer(port, settings);
    await server.#ready();
    return server;
  }

  /** For `--cache`. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async kill(): Promise<void> {
    this.#running.signal("SIGKILL");
    await this.#running.end();
  }

  pause(): void {
    this.#running.signal("SIGSTOP");
  }

  resume(): void {
    this.#running.signal("SIGCONT");
  }

  /** After kill(): on the same port, empty. */
  async restart(): Promise<void> {
    this.#running = this.#spawn();
    await this.#ready();
  }

  #spawn(): Running {
    const args = [
      "--bind",
      "127.0.0.1",
      "--port",
      String(this.port),
      "--save",
      "",
      "--appendonly",
      "no",
    ];
    return new Running("redis-server", [...args, ...this.#settings]);
  }

  async #ready(): Promise<void> {
    await until("Redis ready", () => {
      const { finished, stdout } = this.#running;
      if (finished) throw new Error(`redis-server ended: ${finished.stdout}`);
      return /Ready to accept connections/.test(stdout);
    });
  }
}
