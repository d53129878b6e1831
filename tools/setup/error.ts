/** Something that is missing cannot be set up here; the message says what fixes it. */
export class SetupError extends Error {}
