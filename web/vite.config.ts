import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env['OHLCACHE_SERVER'] ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: '../src/ohlcache/http/static',
    emptyOutDir: true,
    target: ['chrome120', 'firefox121', 'safari17'],
    modulePreload: { polyfill: false },
    // The font is a file of its own: inlined it would delay the first paint.
    assetsInlineLimit: 0,
  },
  // The page's own Host goes along: the server compares it with the Origin of a request that changes something.
  server: {
    proxy: {
      '/api': { target: server, changeOrigin: false },
      '/healthz': { target: server, changeOrigin: false },
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
