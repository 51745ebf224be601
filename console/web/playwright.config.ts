// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from '@playwright/test'

export default defineConfig({
  testDir: 'tests',
  // One server, one story: tests make the incidents that they change.
  workers: 1,
  retries: 0,
  forbidOnly: true,
  timeout: 60_000, // axe on a long page takes its time on a busy machine
  expect: { timeout: 10_000 },
  reporter: 'line',
  globalSetup: './tests/server.ts',
  outputDir: 'test-results',
  use: {
    baseURL: process.env.TOCSIN_URL,
    viewport: { width: 1280, height: 800 },
    trace: 'retain-on-failure',
    launchOptions: {
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    },
    contextOptions: { reducedMotion: 'reduce' },
  },
})
