// SPDX-License-Identifier: Apache-2.0
// Keeping a view fresh of which the server has no stream: by asking again every few seconds.

const pause = 4000
const longest = 60_000

export interface Watch { stop(): void; now(): void }

// watch runs ask again and again while the page is looked at, one at a time; after failures less often.
// now() asks at once.
export function watch(ask: (signal: AbortSignal) => Promise<unknown>): Watch {
  const end = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let running = false
  let again = false

  async function turn() {
    clearTimeout(timer)
    if (end.signal.aborted) return
    if (running) {
      again = true
      return
    }
    running = true
    try {
      await ask(end.signal)
      failures = 0
    } catch {
      failures++ // ask itself shows what is wrong
    }
    running = false
    if (end.signal.aborted) return
    if (again) {
      again = false
      void turn()
    } else if (!document.hidden) {
      timer = setTimeout(turn, Math.min(pause * 2 ** Math.min(failures, 4), longest))
    }
  }
  const seen = () => { if (!document.hidden) void turn() }
  document.addEventListener('visibilitychange', seen)
  queueMicrotask(turn) // not within an effect that starts it: what is asked would become what it depends on
  return {
    stop() {
      end.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    },
    now: () => void turn(),
  }
}
