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

// So many are counted that wait.
const most = 1000

interface Timed extends Row { last_event: string | null }

// heard is how the list stands when one incident that belongs into it was told of, and not the page. One that is older than all that is
// shown waits only if the list is `whole`: else it is among the older ones, which are fetched on demand.
export function heard<T extends Timed>(m: Merged<T>, v: T, whole: boolean): Merged<T> {
  // A list that is empty has nothing that could jump.
  if (!m.rows.length) return { rows: [v], waiting: [], gone: new Set() }
  const time = (r: Timed) => Date.parse(r.last_event ?? '') || 0
  const known = m.rows.some((r) => r.id === v.id) || m.waiting.includes(v.id)
  const waits = !known && m.waiting.length < most && (whole || time(v) >= time(m.rows.at(-1)!))
  return {
    rows: m.rows.map((r) => (r.id === v.id ? v : r)),
    waiting: waits ? [...m.waiting, v.id] : m.waiting,
    gone: new Set([...m.gone].filter((id) => id !== v.id)),
  }
}

// without is how the list stands when one does not belong into it, or not any more.
export function without<T extends Row>(m: Merged<T>, id: string): Merged<T> {
  const shown = m.rows.some((r) => r.id === id)
  return { rows: m.rows, waiting: m.waiting.filter((w) => w !== id), gone: shown ? new Set([...m.gone, id]) : m.gone }
}
