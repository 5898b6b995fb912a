import js from '@eslint/js'
import tseslint from 'typescript-eslint'

const scripts = ['**/*.mjs', '**/*.cjs', 'kernel/tfjs-node/*.js', 'eslint.config.js']
/** What the scripts use of Node without importing it. */
const globals = Object.fromEntries(
  ['process', 'console', 'URL', 'setInterval', 'clearInterval', 'require', 'module', '__dirname'].map((name) => [
    name,
    'readonly',
  ]),
)

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.runtime/', '.parity/', '.cache/'] },
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
    files: ['src/cli/**', 'src/schema/settings.ts', 'kernel/server/**', 'data/**', 'test/**', ...scripts],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    files: scripts,
    ...tseslint.configs.disableTypeChecked,
    languageOptions: { ...tseslint.configs.disableTypeChecked.languageOptions, globals },
  },
  { files: ['**/*.{cjs,cts}', 'kernel/tfjs-node/*.js'], rules: { '@typescript-eslint/no-require-imports': 'off' } },
  { files: ['vitest.config.ts'], ...tseslint.configs.disableTypeChecked },
)
