import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';

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

export default defineConfig({
  // Relative: a chunk finds its siblings wherever the folder is mounted.
  base: './',
  plugins: [compressed()],
  build: {
    outDir: OUTPUT,
    emptyOutDir: true,
    manifest: 'manifest.json',
    target: 'es2022',
    // Browsers that need the polyfill cannot run the code either.
    modulePreload: { polyfill: false },
    // hls.js alone is past Vite's default of 500; our own budget is a test.
    chunkSizeWarningLimit: 700,
    rolldownOptions: {
      input: { player: 'player/main.ts' },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['player/test/**/*.test.ts'],
  },
});
