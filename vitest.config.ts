import { defineConfig } from 'vitest/config'

/** They measure time or memory, or train for minutes: they have the machine to themselves. */
const ALONE = [
  'test/kernel/**/*.test.ts',
  'test/cli/train.test.ts',
  'test/language-model/open-ai-faults.test.ts',
  'test/model/memory.test.ts',
  'test/rollout/latency.test.ts',
  'test/serve/load.test.ts',
  'test/tensor/compile.test.ts',
  'test/train/{collapse,learning,progress,resume}.test.ts',
]

// One TensorFlow context a process.
const shared = {
  pool: 'forks',
  execArgv: ['--require', './kernel/preload.cjs'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
} as const

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'side by side',
          include: ['test/**/*.test.ts'],
          exclude: ALONE,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
