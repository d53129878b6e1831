import { defineConfig } from "vitest/config";

// Some tests run the command line, which starts in about a second when the machine has nothing else to do.
export default defineConfig({ test: { testTimeout: 60_000, hookTimeout: 60_000 } });
