// GET /events as a program reads it: over a plain connection that can be told to
// stop reading.

import { get, type IncomingMessage } from "node:http";
import { createParser, type EventSourceMessage } from "eventsource-parser";

export interface EventReader {
  readonly status: number;
  readonly messages: readonly EventSourceMessage[];
  /** Set once the connection has ended. */
  readonly ended: boolean;
  close(): void;
}

/** Connects, and settles once the answer has begun. */
export function readEvents(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventReader> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/events`, { headers, agent: false }, (response: IncomingMessage) => {
      const messages: EventSourceMessage[] = [];
      const reader = {
        status: response.statusCode ?? 0,
        messages,
        ended: false,
        close: () => request.destroy(),
      };
      const parser = createParser({ onEvent: (event) => messages.push(event) });
      response.setEncoding("utf8").on("data", (text: string) => parser.feed(text));
      response.once("close", () => {
        reader.ended = true;
      });
      response.once("error", () => {});
      resolve(reader);
    });
    request.once("error", reject);
  });
}
