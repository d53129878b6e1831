import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** As much of GitHub's API as a comment on a pull request asks for: a stand-in, since the real one is not to be had in a test. */
export class StandInGitHub {
  comments: { id: number; user: string; body: string }[] = [];
  readonly calls: { method: string; path: string; authorization: string }[] = [];
  /** From now on, nothing is granted. */
  refuses = false;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      let text = "";
      request.on("data", (part: Buffer) => (text += part.toString()));
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        this.calls.push({ method, path: url, authorization: headers.authorization ?? "" });
        const answer = this.refuses ? undefined : this.#answer(method, url, text);
        response.writeHead(answer === undefined ? 403 : 200, { "content-type": "application/json" });
        response.end(JSON.stringify(answer ?? {}));
      });
    });
  }

  static async start(): Promise<StandInGitHub> {
    const github = new StandInGitHub();
    await new Promise<void>((resolve) => github.#server.listen(0, "127.0.0.1", resolve));
    return github;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #answer(method: string, url: string, text: string): unknown {
    const shown = ({ id, user, body }: (typeof this.comments)[number]) => ({
      id,
      body,
      user: { login: user },
    });
    if (method === "GET") {
      const query = new URL(url, this.url).searchParams;
      const [size, page] = [Number(query.get("per_page")), Number(query.get("page"))];
      return this.comments.slice((page - 1) * size, page * size).map(shown);
    }
    const { body } = JSON.parse(text) as { body: string };
    // GitHub takes no longer one.
    if (body.length > 65_536) return undefined;
    if (method === "POST")
      this.comments.push({ id: 1000 + this.comments.length, user: "github-actions[bot]", body });
    else {
      const id = Number(url.split("/").at(-1));
      this.comments.find((comment) => comment.id === id)!.body = body;
    }
    return {};
  }
}
