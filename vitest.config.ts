import { defineConfig } from "vitest/config";

// Some tests run the command line several times, each of which takes seconds.
export default defineConfig({ test: { testTimeout: 120_000, hookTimeout: 60_000 } });
