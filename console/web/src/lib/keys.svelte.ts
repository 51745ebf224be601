// SPDX-License-Identifier: Apache-2.0
// The keyboard. A page says which keys it knows; what is under `?` is what is in force.

import { untrack } from 'svelte'

export interface Key { key: string; does: string; run: (e: KeyboardEvent) => void }

class Keys {
  #sets = $state.raw<Key[][]>([])

  // add puts keys in force until the function that it returns is called; later ones win.
  add(set: Key[]): () => void {
    // Who adds in an effect must not depend on what others add.
    this.#sets = [...untrack(() => this.#sets), set]
    return () => { this.#sets = this.#sets.filter((s) => s !== set) }
  }

  get all(): Key[] {
    const seen = new Map<string, Key>()
    for (const k of this.#sets.flat()) seen.set(k.key, k)
    return [...seen.values()]
  }

  press(e: KeyboardEvent) {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented) return
    const at = e.target as HTMLElement
    if (at.closest('input, textarea, select, dialog[open]')) return
    // Enter on a link or a button is theirs.
    if (e.key === 'Enter' && at.closest('a, button, summary')) return
    const found = this.all.find((k) => k.key === e.key)
    if (!found) return
    e.preventDefault()
    found.run(e)
  }
}

export const keys = new Keys()
addEventListener('keydown', (e) => keys.press(e))
