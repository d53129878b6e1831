import { request } from "@octokit/request";
import { MARKER } from "./comment.ts";

/** A pull request, and how GitHub is asked about it. */
export interface PullRequest {
  /** Base of GitHub's API, without a slash at its end. */
  api: string;
  /** `owner/name`. */
  repository: string;
  number: string;
  token: string;
}

/** Who writes the comments. Another's is not ours to change, whatever it begins with. */
const AUTHOR = "github-actions[bot]";
const PAGE = 100;

interface Comment {
  id: number;
  body: string;
  user: { login: string } | null;
}

/** Writes the comment, in the place of the one that an earlier run wrote. Throws when GitHub refuses. */
export async function writeComment(pull: PullRequest, body: string): Promise<void> {
  const comments = `/repos/${pull.repository}/issues/${pull.number}/comments`;
  const before = await findComment(pull, comments);
  if (before === undefined) await ask(pull, "POST", comments, { body });
  else await ask(pull, "PATCH", `/repos/${pull.repository}/issues/comments/${before}`, { body });
}

async function findComment(pull: PullRequest, path: string): Promise<number | undefined> {
  for (let page = 1; ; page++) {
    const some = (await ask(pull, "GET", `${path}?per_page=${PAGE}&page=${page}`)) as Comment[];
    const own = some.find(({ body, user }) => user?.login === AUTHOR && body.startsWith(MARKER));
    if (own !== undefined || some.length < PAGE) return own?.id;
  }
}

async function ask({ api, token }: PullRequest, method: string, path: string, body?: object) {
  try {
    const answer = await request(`${method} ${path}`, {
      baseUrl: api,
      headers: { authorization: `Bearer ${token}`, "user-agent": "rejourney-preview" },
      request: { signal: AbortSignal.timeout(30_000) },
      ...body,
    });
    return answer.data as unknown;
  } catch (error) {
    // Never the error itself: it has the request, whose body is the comment.
    const { status, cause, message } = error as { status?: number; cause?: Error; message: string };
    if (status === undefined || status >= 500 || cause !== undefined)
      throw new Error(`GitHub cannot be reached for ${method} ${path}: ${cause?.message ?? message}`);
    throw new Error(`GitHub answers ${status} to ${method} ${path}. Is pull-requests: write granted?`);
  }
}
