/** What is wrong with a cluster, in words for people. No message holds a value that was sent to it. */
export class ClusterError extends Error {}

/** The API server has answered with an error. */
export class ApiError extends ClusterError {
  /** HTTP status. */
  readonly code: number;
  /** Seconds after which it asks to try again. */
  readonly retryAfter: number | undefined;

  constructor(code: number, message: string, retryAfter?: number) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/** No answer has come, so nobody knows whether a request was carried out. */
export class UnreachableError extends ClusterError {
  /** The connection was an older one, which the API server may have closed meanwhile. */
  readonly stale: boolean;

  constructor(message: string, stale: boolean) {
    super(message);
    this.stale = stale;
  }
}

/** The kubeconfig cannot be used. */
export class KubeconfigError extends ClusterError {}
