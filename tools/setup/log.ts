/** Takes a line of progress. */
export type Log = (message: string) => void;
