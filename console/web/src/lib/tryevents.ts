// SPDX-License-Identifier: Apache-2.0
// Events to try a rule with: pasted, or picked in the live tail.
import { notes } from './notes.svelte'
import type { Seen } from './seen'
import type { TestEvent } from './trace'

// As many are traced, and kept for the bench.
export const mostEvents = 200

const slot = 'bench-events'
export interface Picked { time: string; fields: Record<string, unknown> }

// picked are the events that the tab keeps for the bench, the oldest first.
export function picked(): Picked[] {
  try {
    return JSON.parse(sessionStorage.getItem(slot) ?? '[]') as Picked[]
  } catch {
    return []
  }
}

// pick keeps an event of the tail, and returns how many there are; the oldest makes room.
export function pick(e: Seen): number {
  const all = [...picked(), { time: e.time ?? new Date().toISOString(), fields: e.fields }].slice(-mostEvents)
  try {
    sessionStorage.setItem(slot, JSON.stringify(all))
  } catch {
    notes.say('The event was not picked: the tab has no room for it.', true)
    return picked().length
  }
  return all.length
}

export const unpick = () => sessionStorage.removeItem(slot)

// fromTail makes a test's events of events of the tail: the first is at the start, and each arrives as late as it did.
export function fromTail(all: Picked[]): TestEvent[] {
  const at = all.map((e) => Date.parse(e.time))
  return all.map((e, i) => {
    const { '@timestamp': _, 'event.ingested': ingested, ...rest } = e.fields
    const late = typeof ingested === 'string' ? Math.max(0, Date.parse(ingested) - at[i]!) : 0
    const [time, arrives] = [spanAt(at, at[i]!), spanAt(at, at[i]! + late)]
    return { at: time, ...(arrives === time ? {} : { arrives }), ...Object.fromEntries(Object.entries(rest).filter(([, v]) => v !== null)) }
  }).sort((a, b) => parseInt(a.at) - parseInt(b.at))
}

// spanAt is how long after the first of some times one is, to the second: a test counts no finer.
const spanAt = (all: number[], at: number) => Math.floor((at - Math.min(...all)) / 1000) + 's'

// read takes lines of JSON: events as those of a test, or records of a source. It throws what is wrong with a line.
export function read(text: string, source: string): TestEvent[] {
  const out: TestEvent[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (!line.trim()) continue
    let v: unknown
    try {
      v = JSON.parse(line)
    } catch {
      throw new Error(`Line ${i + 1} is no JSON: one event a line.`)
    }
    if (typeof v !== 'object' || v === null || Array.isArray(v)) throw new Error(`Line ${i + 1} is no object of JSON.`)
    out.push(v as TestEvent)
  }
  if (out.length > mostEvents) throw new Error(`At most ${mostEvents} events are tried, these are ${out.length}.`)
  if (!source) return out
  let last = NaN
  const at = out.map((r) => (last = timeOf(r) ?? (Number.isNaN(last) ? 0 : last + 1000)))
  return out.map((r, i) => ({ at: spanAt(at, at[i]!), [source]: r }))
}

// Where records of the sources have their time.
const times = ['time', '@timestamp', 'timestamp', 'requestReceivedTimestamp', 'stageTimestamp', 'creationTimestamp']
function timeOf(r: TestEvent): number | null {
  for (const name of times) {
    const t = typeof r[name] === 'string' ? Date.parse(r[name]) : NaN
    if (!Number.isNaN(t)) return t
  }
  return null
}
