/** How often a plugin looks whether its engine still lives, in milliseconds. */
const INTERVAL = 250;

/**
 * Ends this process when the engine that started it asks for it, or is gone: an engine that was killed cannot tell
 * its plugins to end, and that their parent has changed is all that they see of it.
 */
export function endWithEngine(beforeEnd: () => void): void {
  const engine = process.ppid;
  const end = () => {
    beforeEnd();
    process.exit(0);
  };
  // The engine ends its plugins by SIGINT. A Ctrl-C does not reach them: each is in a process group of its own.
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  setInterval(() => process.ppid !== engine && end(), INTERVAL).unref();
}
