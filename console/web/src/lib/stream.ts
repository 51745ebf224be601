// SPDX-License-Identifier: Apache-2.0
// A stream of the server's, kept open. It is read by fetch: the browser's EventSource can send no proof.
import { Lines } from './lines'
import { said, send } from './api'
import { paused, pauseAfter } from './pause'

export interface Reading {
  // begin is called for each connection, and returns what takes its lines; null stands for one that was too long.
  begin(): (line: string | null) => void
  // stands is told why there is no connection, '' that there is one. Without an error the server ended it, as it does now and then.
  stands(why: string, e?: unknown): void
  // headers say where to go on.
  headers?(): Record<string, string>
  // rests says that nothing is lost if a page that nobody sees has no stream: it goes on from where it was.
  rests?: boolean
}

// A connection that ends sooner has failed, even if it was one.
const lasting = 10_000

// stream reads a path until it is stopped.
export function stream(path: string, o: Reading): () => void {
  const end = new AbortController()
  queueMicrotask(() => void run(path, o, end.signal)) // not within an effect that starts it: what is asked would become what it depends on
  return () => end.abort()
}

async function run(path: string, o: Reading, end: AbortSignal) {
  let failures = 0
  while (!end.aborted) {
    if (o.rests) await seen(end)
    const turn = new AbortController()
    const leave = () => { if (end.aborted || (o.rests && document.hidden)) turn.abort() }
    end.addEventListener('abort', leave)
    document.addEventListener('visibilitychange', leave)
    leave()
    const begun = Date.now()
    try {
      const r = await send(path, { signal: turn.signal, headers: o.headers?.() })
      o.stands('')
      await read(r, o.begin())
      o.stands('The server ended it.')
    } catch (e) {
      if (!turn.signal.aborted) o.stands(said(e), e)
    }
    if (turn.signal.aborted || Date.now() - begun > lasting) failures = 0
    end.removeEventListener('abort', leave)
    document.removeEventListener('visibilitychange', leave)
    if (!turn.signal.aborted) await paused(pauseAfter(failures++), end)
  }
}

async function read(r: Response, take: (line: string | null) => void) {
  const reader = r.body!.pipeThrough(new TextDecoderStream()).getReader()
  const lines = new Lines()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    for (const line of lines.push(value)) take(line)
  }
}

// seen waits until the page is looked at.
function seen(end: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const look = () => {
      if (document.hidden && !end.aborted) return
      document.removeEventListener('visibilitychange', look)
      end.removeEventListener('abort', look)
      done()
    }
    document.addEventListener('visibilitychange', look)
    end.addEventListener('abort', look)
    look()
  })
}
