// SPDX-License-Identifier: Apache-2.0
// The rows that are picked for an act on all of them.
export class Selection {
  ids = $state.raw(new Set<string>())

  turn(id: string) {
    const next = new Set(this.ids)
    if (!next.delete(id)) next.add(id)
    this.ids = next
  }

  clear() {
    this.ids = new Set()
  }
}
