/** What every verb on a stack takes. */
export interface Options {
  stack: string;
  json: boolean;
}

/** What a verb takes that changes a deployment. */
export interface UpOptions extends Options {
  yes: boolean;
  /** Take this Docker host, with the data that it has or without any, for the one that the stack was on. */
  adoptHost?: boolean;
  /** Let variables that no source gives any more go back to their defaults. */
  forgetVariables?: boolean;
}
