/** Something that is missing cannot be set up here; the message says what mends it. */
export class SetupError extends Error {}
