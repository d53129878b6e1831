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
export async function writeComment(request: PullRequest, body: string): Promise<void> {
  const comments = `/repos/${request.repository}/issues/${request.number}/comments`;
  const before = await findComment(request, comments);
  if (before === undefined) await ask(request, "POST", comments, { body });
  else await ask(request, "PATCH", `/repos/${request.repository}/issues/comments/${before}`, { body });
}

async function findComment(request: PullRequest, path: string): Promise<number | undefined> {
  for (let page = 1; ; page++) {
    const some = (await ask(request, "GET", `${path}?per_page=${PAGE}&page=${page}`)) as Comment[];
    const own = some.find(({ body, user }) => user?.login === AUTHOR && body.startsWith(MARKER));
    if (own !== undefined || some.length < PAGE) return own?.id;
  }
}

async function ask({ api, token }: PullRequest, method: string, path: string, body?: object) {
  const response = await fetch(`${api}${path}`, {
    method,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "user-agent": "rejourney-preview",
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok)
    throw new Error(
      `GitHub answers ${response.status} to ${method} ${path}. Is pull-requests: write granted?`,
    );
  return response.json();
}
