import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import budget from './budget.json' with { type: 'json' };
import { tooHeavy } from './weight.ts';

const OUTPUT = '../src/telecine/static/dist';

/** Puts a .gz and a .br beside every text file, so that the server never compresses. */
function compressed() {
  return {
    name: 'compressed',
    writeBundle({ dir }) {
      for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|svg)$/.test(entry.name)) continue;
        const path = join(entry.parentPath, entry.name);
        const bytes = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        writeFileSync(`${path}.br`, brotliCompressSync(bytes));
      }
    },
  };
}

/** Fails the build when viewers would have to load more than the budget allows. */
function weighed() {
  return {
    name: 'weighed',
    writeBundle: {
      sequential: true, // after `compressed`
      order: 'post',
      handler({ dir }) {
        const manifest = JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'));
        const found = tooHeavy(manifest, (file) => statSync(join(dir, `${file}.gz`)).size, budget);
        if (found.length > 0) throw new Error(`too heavy, see budget.json: ${found.join('; ')}`);
      },
    },
  };
}

export default defineConfig({
  // Relative: a chunk finds its siblings wherever the folder is mounted.
  base: './',
  plugins: [svelte({ configFile: false }), compressed(), weighed()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    manifest: 'manifest.json',
    target: 'es2022',
    // Browsers that need the polyfill cannot run the code either.
    modulePreload: { polyfill: false },
    // hls.js alone is past Vite's default of 500; `weighed` has our own budget.
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      input: { player: 'player/main.ts', dashboard: 'dashboard/main.ts' },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['{player,dashboard}/test/**/*.test.ts'],
  },
});
