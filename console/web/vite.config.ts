// SPDX-License-Identifier: Apache-2.0
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'

const out = '../dist/web'

// compress puts a .gz beside each file: the server sends it as it is and compresses nothing.
function compress(): Plugin {
  return {
    name: 'compress',
    apply: 'build',
    closeBundle() {
      for (const file of readdirSync(out, { recursive: true, encoding: 'utf8' })) {
        const path = join(out, file)
        if (statSync(path).isFile() && /\.(html|js|css|svg|json)$/.test(path)) {
          writeFileSync(path + '.gz', gzipSync(readFileSync(path), { level: 9 }))
        }
      }
    },
  }
}

export default defineConfig({
  plugins: [svelte(), compress()],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: 'es2022',
    // The policy of the server lets nothing in that is inline, data: addresses too.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // For work on the page: vite serves it, a running tocsin answers.
  server: { proxy: { '/api': 'http://127.0.0.1:8080', '/openapi.json': 'http://127.0.0.1:8080' } },
  test: { include: ['src/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0])
