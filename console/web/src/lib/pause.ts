// SPDX-License-Identifier: Apache-2.0
// How long who was refused or cut off waits before the next try.

// pauseAfter is how long to wait after so many failures in a row, in milliseconds. Many who lost one server do not come back at once.
export const pauseAfter = (failures: number, chance = Math.random()) => Math.min(1000 * 2 ** failures, 30_000) * (0.5 + chance / 2)

// paused waits, no longer than until the signal.
export const paused = (ms: number, signal: AbortSignal) => new Promise<void>((done) => {
  const timer = setTimeout(done, ms)
  signal.addEventListener('abort', () => { clearTimeout(timer); done() }, { once: true })
})
