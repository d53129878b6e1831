/** What every verb on a stack takes. */
export interface Options {
  stack: string;
  json: boolean;
}

/** What a verb takes that changes a deployment. */
export interface UpOptions extends Options {
  yes: boolean;
}
