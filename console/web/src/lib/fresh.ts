// SPDX-License-Identifier: Apache-2.0
// A list that changes under the reader without moving: rows that are shown stay where they are and take on what
// is new of them; rows that came wait until they are asked for.

interface Row { id: string }

export interface Merged<T> {
  // rows in the order in which they are shown, with their newest content.
  rows: T[]
  // waiting are ids that are new and not shown.
  waiting: string[]
  // gone are ids that are shown and no longer in the list.
  gone: Set<string>
}

// merge lays the newest first page over what is shown. `whole` says that the page is all there is: what is not in it is gone.
export function merge<T extends Row>(shown: T[], page: T[], whole: boolean): Merged<T> {
  const newest = new Map(page.map((r) => [r.id, r]))
  const have = new Set(shown.map((r) => r.id))
  return {
    rows: shown.map((r) => newest.get(r.id) ?? r),
    waiting: page.filter((r) => !have.has(r.id)).map((r) => r.id),
    gone: whole ? new Set(shown.filter((r) => !newest.has(r.id)).map((r) => r.id)) : new Set(),
  }
}
