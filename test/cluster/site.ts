import { request as plainRequest, type IncomingHttpHeaders } from "node:http";
import { request } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
}

/** The application, as its users reach it: by its host names, which lead to one address, with a certificate of this authority. */
export class Site {
  readonly #address: string;
  readonly #authority: string;

  constructor(address: string, authority: string) {
    this.#address = address;
    this.#authority = authority;
  }

  /** The answer to a request on a connection of its own. */
  ask(url: string, method = "GET", body = ""): Promise<Answer> {
    const { protocol, hostname, pathname } = new URL(url);
    const options = {
      host: this.#address,
      path: pathname,
      method,
      agent: false,
      timeout: 10_000,
      headers: {
        host: hostname,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      },
    };
    return new Promise((resolve, reject) => {
      const asked =
        protocol === "http:"
          ? plainRequest(options)
          : request({ ...options, servername: hostname, ca: this.#authority });
      asked.on("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => (text += part));
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        );
        response.on("error", reject);
      });
      asked.on("error", reject);
      asked.on("timeout", () => asked.destroy(new Error(`no answer from ${url}`)));
      asked.end(body);
    });
  }
}

/** Asks for a URL again and again while a test does something else. */
export class Asking {
  /** Every answer but those with status 200. */
  readonly failed: string[] = [];
  answered = 0;
  readonly #work: Promise<void>;
  #stopped = false;

  constructor(site: Site, url: string) {
    this.#work = this.#ask(site, url);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#work;
  }

  async #ask(site: Site, url: string): Promise<void> {
    for (; !this.#stopped; await sleep(250)) {
      const said = await site.ask(url).then(
        ({ status, body }) => (status === 200 ? undefined : `${status} ${body.slice(0, 200)}`),
        (error: Error) => error.message,
      );
      if (said === undefined) this.answered++;
      else this.failed.push(said);
    }
  }
}
