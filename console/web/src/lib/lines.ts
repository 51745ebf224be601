// SPDX-License-Identifier: Apache-2.0
// The lines of a stream, and what an event of the tail says.

// Lines cuts chunks of text into lines; what has no end yet waits. A line longer than max is given up, and said.
export class Lines {
  #rest = ''
  #skip = false
  constructor(readonly max = 4 << 20) {}

  // push returns the lines that are whole; null stands for one that was too long.
  push(chunk: string): (string | null)[] {
    const parts = (this.#rest + chunk).split('\n')
    this.#rest = parts.pop()!
    const out: (string | null)[] = []
    for (const line of parts) {
      if (this.#skip) this.#skip = false
      else if (line.length > this.max) out.push(null)
      else out.push(line)
    }
    if (this.#rest.length > this.max) {
      if (!this.#skip) out.push(null)
      this.#skip = true
      this.#rest = ''
    }
    return out
  }
}

export interface Seen {
  id: number
  time: string | null
  source: string
  text: string
  fields: Record<string, unknown>
  error: string
}

// eventOf reads a line of the tail.
export function eventOf(line: string, id: number): Seen {
  let v: { time?: string; source?: string; error?: string; detail?: string; fields?: Record<string, unknown> }
  try {
    v = JSON.parse(line)
  } catch {
    v = { error: 'this line of the tail is no JSON' }
  }
  const fields = v.fields ?? {}
  const text = String(fields['message'] ?? fields['event.action'] ?? '')
  return { id, time: v.time ?? null, source: v.source ?? '', text, fields, error: v.error ?? v.detail ?? '' }
}

// holds tells whether an event has all words of a filter; name:text looks into one field.
export function holds(e: Seen, filter: string): boolean {
  const all = () => (e.source + ' ' + e.text + ' ' + e.error + ' ' + JSON.stringify(e.fields)).toLowerCase()
  return filter.toLowerCase().split(/\s+/).filter(Boolean).every((word) => {
    const colon = word.indexOf(':')
    const name = word.slice(0, colon)
    if (colon > 0 && (name === 'source' || name in e.fields)) {
      const v = name === 'source' ? e.source : e.fields[name]
      return (typeof v === 'string' ? v : JSON.stringify(v) ?? '').toLowerCase().includes(word.slice(colon + 1))
    }
    return all().includes(word)
  })
}
