// A Redis server for one test, on a port of its own, that can be killed, paused
// and brought back. It keeps nothing on disk: a cache must do without.

import { freePorts } from "./ports.ts";
import { Running } from "./process.ts";

export class RedisServer {
  readonly port: number;
  readonly #settings: readonly string[];
  #running: Running | null = null;

  private constructor(port: number, settings: readonly string[]) {
    this.port = port;
    this.#settings = settings;
  }

  /** A port, nothing started. `settings` as redis-server takes them: `--maxmemory`, `10485760`. */
  static async prepare(...settings: readonly string[]): Promise<RedisServer> {
    const [port = 0] = await freePorts(1);
    return new RedisServer(port, settings);
  }

  static async open(...settings: readonly string[]): Promise<RedisServer> {
    const server = await RedisServer.prepare(...settings);
    await server.start();
    return server;
  }

  /** For `--cache`. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Also after kill(): on the same port, empty. Settles once it accepts connections. */
  async start(): Promise<void> {
    const args = `--bind 127.0.0.1 --port ${this.port} --appendonly no --save`.split(" ");
    const running = new Running("redis-server", [...args, "", ...this.#settings]);
    this.#running = running;
    await running.ready("Redis", () => /Ready to accept connections/.test(running.stdout));
  }

  /** SIGKILL: connections break, copies are gone. */
  async kill(): Promise<void> {
    this.#running?.signal("SIGKILL");
    await this.#running?.end();
  }

  /** SIGSTOP: it accepts connections and answers nothing. */
  pause(): void {
    this.#running?.signal("SIGSTOP");
  }

  resume(): void {
    this.#running?.signal("SIGCONT");
  }
}
