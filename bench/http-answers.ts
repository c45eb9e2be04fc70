// Reads the answers on one HTTP/1.1 connection as bytes come: enough for a load
// generator, which must cost less than the server.
//
// Only answers with a Content-Length, which all of the bazaar's have.

/** One answer. */
export interface Answer {
  readonly status: number;
  readonly hasRetryAfter: boolean;
}

const HEAD_END = "\r\n\r\n";
/** Where the status is in `HTTP/1.1 200 OK`. */
const STATUS_FROM = 9;
const STATUS_TO = 12;

export class AnswerReader {
  #text = "";

  /** The answers that are complete with these bytes. Throws for what isn't HTTP with a length. */
  read(bytes: Buffer): Answer[] {
    this.#text += bytes.toString("latin1");
    const answers: Answer[] = [];
    let from = 0;
    for (;;) {
      const headEnd = this.#text.indexOf(HEAD_END, from);
      if (headEnd < 0) break;
      const head = this.#text.slice(from, headEnd).toLowerCase();
      const length = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
      if (length === undefined) throw new Error(`an answer without a length: ${head}`);
      const end = headEnd + HEAD_END.length + Number(length);
      if (end > this.#text.length) break;
      const status = Number(head.slice(STATUS_FROM, STATUS_TO));
      answers.push({ status, hasRetryAfter: head.includes("\r\nretry-after: ") });
      from = end;
    }
    this.#text = this.#text.slice(from);
    return answers;
  }
}
