import js from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'node_modules/',
      '.runtime/',
      '.parity/',
      '.cache/',
      '**/*.mjs',
      '**/*.cjs',
      'kernel/tfjs-node/',
      'eslint.config.js',
      'vitest.config.ts',
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'Settings are read in src/schema/settings.ts.' },
        { object: 'process', property: 'argv', message: 'Arguments are read in src/cli.' },
      ],
    },
  },
  {
    files: ['src/cli/**', 'src/schema/settings.ts', 'data/**', 'test/**'],
    rules: { 'no-restricted-properties': 'off' },
  },
)
