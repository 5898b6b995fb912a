import { defineConfig } from 'vitest/config'

/** `npm run test:browser`: JupyterLab itself, driven in Chromium. */
export default defineConfig({
  test: {
    include: ['test/browser/*.spec.ts'],
    root: new URL('../..', import.meta.url).pathname,
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
