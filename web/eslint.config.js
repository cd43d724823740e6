import js from '@eslint/js';
import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

/** What a folder may not import: the layers run app -> features -> api, lib. */
function layer(folder, ...forbidden) {
  return {
    files: [`src/${folder}/**/*.{ts,tsx}`],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: forbidden.map((group) => ({ group: [group], message: 'Imports run app -> features -> api, lib.' })) },
      ],
    },
  };
}

const FEATURES = ['access', 'chart', 'connection', 'controls', 'help', 'inside', 'provenance', 'search', 'theme'];

export default tseslint.config(
  { ignores: ['node_modules', 'test-results', 'playwright-report', 'public'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [...tseslint.configs.strictTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowNullish: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      '@typescript-eslint/dot-notation': 'off', // index signatures are read by name in brackets (tsc demands it)
      // A barrel file hides where things live.
      'no-restricted-syntax': ['error', { selector: 'ExportAllDeclaration', message: 'No barrel files.' }],
    },
  },
  { files: ['src/**/*.{ts,tsx}'], plugins: { 'react-hooks': hooks }, rules: hooks.configs.recommended.rules },
  layer('lib', '**/api/*', '**/features/**', '**/app/*'),
  layer('api', '**/features/**', '**/app/*'),
  ...FEATURES.map((feature) =>
    layer(`features/${feature}`, '**/app/*', ...FEATURES.filter((other) => other !== feature).map((other) => `**/${other}/*`)),
  ),
  {
    files: ['e2e/**/*.ts'],
    rules: {
      // Playwright's fixtures are declared with an empty pattern, and its `use` is no hook.
      'no-empty-pattern': 'off',
    },
  },
  { files: ['eslint.config.js'], languageOptions: { globals: {} } },
);
