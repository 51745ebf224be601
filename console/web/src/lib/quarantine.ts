// SPDX-License-Identifier: Apache-2.0
// What could not be read: its filter in the address, its bytes for the eye, and what became of what was released.
import type { Released } from './types'

const names = ['source', 'reason', 'since']

// quarantineQuery is what the filter knows and is given.
export function quarantineQuery(query: URLSearchParams): URLSearchParams {
  const q = new URLSearchParams()
  for (const name of names) {
    const v = query.get(name)
    if (v) q.set(name, v)
  }
  return q
}

// quarantinePlaced is the list's address.
export function quarantinePlaced(query: URLSearchParams): string {
  const q = quarantineQuery(query)
  return '/quarantine' + (q.size ? '?' + q : '')
}

// bytesOf reads base64.
export const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))

const hex = (n: number, width: number) => n.toString(16).padStart(width, '0')

// visible writes out what would show as nothing, or would turn the text around.
export const visible = (text: string) => text
  .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, (c) => `<U+${hex(c.charCodeAt(0), 4).toUpperCase()}>`)

// hexOf has sixteen bytes a line: where they are, each in hex, and what of them is ASCII.
export function hexOf(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)]
    const half = (from: number) => row.slice(from, from + 8).map((b) => hex(b, 2)).join(' ').padEnd(23)
    const ascii = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '.')).join('')
    lines.push(`${hex(at, 8)}  ${half(0)}  ${half(8)}  |${ascii}|`)
  }
  return lines.join('\n')
}

export interface Sum { released: number; events: number; refused: Record<string, number> }

export const nothing: Sum = { released: 0, events: 0, refused: {} }

// plus adds what became of the next thousand.
export function plus(a: Sum, b: Pick<Released, 'released' | 'events' | 'refused'>): Sum {
  const refused = { ...a.refused }
  for (const [reason, n] of Object.entries(b.refused)) refused[reason] = (refused[reason] ?? 0) + n
  return { released: a.released + b.released, events: a.events + b.events, refused }
}

// told is what became of them in words.
export function told(s: Sum): string {
  const still = Object.entries(s.refused).sort((a, b) => b[1] - a[1]).map(([reason, n]) => `${n} ${reason}`)
  const count = (n: number, what: string, more: string) => `${n} ${n === 1 ? what : more}`
  return `${count(s.released, 'entry is', 'entries are')} taken in as ${count(s.events, 'event', 'events')}` + (still.length ? `; what cannot be read now either: ${still.join(', ')}` : '')
}
