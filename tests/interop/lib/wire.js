// A recording reverse proxy between the executable and the remote server: it changes nothing, and
// knows what really went over the wire (a DELETE, a cancellation, which stream a message came on).

import { EventEmitter, once } from "node:events";
import http from "node:http";

export class Wire {
  exchanges = [];
  #changed = new EventEmitter();
  #server;

  static async before(port) {
    const wire = new Wire();
    wire.#server = http.createServer((request, response) => wire.#carry(port, request, response));
    wire.#server.requestTimeout = 0;
    await new Promise((resolve) => wire.#server.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  get port() {
    return this.#server.address().port;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** Resolves with the first exchange that satisfies `test`, present or future. */
  async until(test, what, from = 0, limitMs = 3_000) {
    const signal = AbortSignal.timeout(limitMs);
    for (;;) {
      const found = this.exchanges.slice(from).find(test);
      if (found) return found;
      await once(this.#changed, "changed", { signal }).catch(() => {
        throw new Error(`not seen on the wire within ${limitMs} ms: ${what}`);
      });
    }
  }

  /** The stream on which a server may speak first: the GET of either transport. */
  listening() {
    return this.until((x) => x.method === "GET" && x.status === 200 && !x.closed, "an open GET stream");
  }

  /** The POST that carried a message with this method. */
  posted(method, test = () => true, from = 0) {
    return this.until(
      (x) => x.messages.some((m) => m.method === method && test(m)),
      `a POST of ${method}`,
      from,
    );
  }

  /** One line an exchange begun at or after `from`, or still open: for the report of a failure. */
  lines(from = 0) {
    return this.exchanges.filter((x, index) => index >= from || !x.closed).map((x) => {
      const session = x.request["mcp-session-id"] ? " +session" : "";
      const resume = x.request["last-event-id"] ? ` last-event-id=${x.request["last-event-id"]}` : "";
      const type = x.response["content-type"] ?? "";
      const end = x.closed ? "" : " (open)";
      return `${x.method} ${x.path}${session}${resume} ${cut(x.sent)} -> ${x.status ?? "no answer"} ${type} ${cut(x.received)}${end}`;
    });
  }

  #carry(port, request, response) {
    const exchange = new Exchange(request);
    this.exchanges.push(exchange);
    const note = () => this.#changed.emit("changed");
    const onward = http.request({
      host: "127.0.0.1", port, method: request.method, path: request.url, headers: request.headers,
      agent: false,
    });
    request.on("data", (chunk) => (exchange.sent += chunk));
    request.on("end", note);
    request.pipe(onward);
    onward.on("response", (answer) => {
      exchange.answered(answer);
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      note();
      answer.on("data", (chunk) => ((exchange.received += chunk), note()));
      answer.on("error", () => response.destroy());
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => ((exchange.closed = true), onward.destroy(), note()));
  }
}

class Exchange {
  sent = "";
  received = "";
  status = null;
  response = {};
  closed = false;

  constructor(request) {
    this.method = request.method;
    this.path = request.url;
    this.request = request.headers;
  }

  answered(answer) {
    this.status = answer.statusCode;
    this.response = answer.headers;
  }

  get messages() {
    try {
      return [JSON.parse(this.sent)].flat();
    } catch {
      return [];
    }
  }
}

const cut = (text) => (text.length > 240 ? `${text.slice(0, 240)}… (${text.length})` : text).replaceAll("\n", "⏎");
