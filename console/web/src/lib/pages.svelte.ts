// SPDX-License-Identifier: Apache-2.0
// What is read page by page, newest first. It is read once and not again by itself: what somebody reads does not move.
import { said, send } from './api'
import { nextOf } from './link'
import type { Page } from './types'

export class Pages<T> {
  items = $state.raw<T[] | null>(null)
  // next is the path of what comes after, '' while it is fetched and where there is none.
  next = $state('')
  error = $state('')
  #end = new AbortController()

  // start reads from a path on, and returns what stops it. It is for an effect, which must not come to depend on what is read.
  start(path: string): () => void {
    const end = new AbortController()
    this.#end = end
    this.items = null
    queueMicrotask(() => void this.#load(path))
    return () => end.abort()
  }

  more() {
    if (this.next) void this.#load(this.next)
  }

  async #load(path: string) {
    const { signal } = this.#end
    this.next = '' // one page is fetched at a time
    try {
      const r = await send(path, { signal })
      const page = await r.json() as Page<T>
      this.items = [...(this.items ?? []), ...(page.items ?? [])]
      this.next = page.next_cursor && nextOf(r.headers.get('Link'))
      this.error = ''
    } catch (e) {
      if (signal.aborted) return
      this.error = said(e)
      if (this.items) this.next = path
    }
  }
}
