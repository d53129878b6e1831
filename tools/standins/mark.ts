/** The mark in a state that a stand-in wrote it: an input of the provider's own resource there. */
export const STAND_IN = "standIn";
