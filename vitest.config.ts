import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // One TensorFlow context a process; one process at a time, because it uses all cores and some tests measure time.
    pool: 'forks',
    fileParallelism: false,
    execArgv: ['--require', './kernel/preload.cjs'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
