// SPDX-License-Identifier: Apache-2.0
// The address bar: links within the console change the page without loading it anew.
import { pageOf } from './routes'

class Route {
  path = $state(location.pathname)
  search = $state(location.search)
  readonly page = $derived(pageOf(this.path))
  readonly query = $derived(new URLSearchParams(this.search))

  constructor() {
    addEventListener('popstate', () => this.#read())
    document.addEventListener('click', (e) => {
      const a = (e.target as Element).closest?.('a[href]')
      const href = a?.getAttribute('href')
      if (!a || !href?.startsWith('/') || a.hasAttribute('download') || a.hasAttribute('data-whole')) return
      if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
      e.preventDefault()
      this.go(href)
    })
  }

  go(href: string, replace = false) {
    const from = this.path
    history[replace ? 'replaceState' : 'pushState'](null, '', href)
    this.#read()
    if (from !== this.path) scrollTo(0, 0)
  }

  #read() {
    this.path = location.pathname
    this.search = location.search
  }
}

export const route = new Route()
