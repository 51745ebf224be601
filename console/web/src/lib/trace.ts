// SPDX-License-Identifier: Apache-2.0
// A rule that is followed through events: what is known at a moment, and where it is drawn. Times are seconds.
import type { components } from '../schema'
import { keyText } from './bench'
import { span } from './time'

type S = components['schemas']
export type Trace = S['RuleTrace']
export type Moment = S['TraceMoment']
export type TracedKey = S['TraceKey']
export type TracedEvent = S['TraceEvent']
export type Detection = S['TraceDetection']
export type TestEvent = Record<string, unknown>

export interface At {
  moment: Moment
  // keys and detections are as they stand; came are the events that have arrived.
  keys: TracedKey[]
  detections: Map<string, Detection>
  came: Set<number>
  // latest is the number of the key that changed last, 0 if none has.
  latest: number
}

// stateAt adds up what the moments say up to one of them.
export function stateAt(t: Trace, i: number): At {
  const keys = new Map<number, TracedKey>()
  const out: At = { moment: t.moments![i]!, keys: [], detections: new Map(), came: new Set(), latest: 0 }
  for (const m of t.moments!.slice(0, i + 1)) {
    if (m.event) out.came.add(m.event.place)
    for (const k of m.keys ?? []) keys.set(k.number, k)
    for (const d of m.detections ?? []) out.detections.set(d.id, d)
    out.latest = m.keys?.[0]?.number ?? out.latest
  }
  out.keys = [...keys.values()].sort((a, b) => a.number - b.number)
  return out
}

// everything is what there is to show at some moment: it has its place from the first one on.
export function everything(t: Trace): { events: TracedEvent[]; detections: Detection[]; steps: number } {
  const moments = t.moments ?? []
  const detections = new Map<string, Detection>()
  for (const m of moments) for (const d of m.detections ?? []) if (!detections.has(d.id)) detections.set(d.id, d)
  return {
    events: moments.flatMap((m) => m.event ?? []),
    detections: [...detections.values()],
    steps: Math.max(0, ...moments.flatMap((m) => (m.keys ?? []).map((k) => (k.steps ?? []).length))),
  }
}

// clockText is a clock in words; what is a hair after a second is that second.
export const clockText = (s: number) => (s < 0 ? '−' : '') + span(Math.round(Math.abs(s)) * 1000)

// eventText says what an event is to the rule.
export function eventText(e: TracedEvent): string {
  const matched = (e.matches ?? []).map((m) => `${(m.patterns ?? []).join(', ')}${keyText(m.key) && ' for ' + keyText(m.key)}`)
  const why = e.excepted ? `is left out: ${e.excepted.reason}` : e.missing?.length ? `has no ${e.missing.join(', ')}, and so no key`
    : matched.length ? 'matches ' + matched.join('; ') : 'matches nothing of the rule'
  return `Event ${e.place}${e.late ? ', late,' : ''} ${why}`
}

// momentText is a moment in a sentence.
export const momentText = (m: Moment) =>
  `${clockText(m.clock)}: ${m.event ? eventText(m.event) : 'time passes'}${(m.detections ?? []).map((d) => '; ' + changeText(d)).join('')}`

const changes = { open: 'a detection stands', settled: 'a detection is settled', retracted: 'a detection is retracted', joined: 'a detection is joined into another' } as const
export const changeText = (d: Detection) => changes[d.state]

// scaleOf places times in a width. It is not to scale: a gap grows with the logarithm of its length, so that a window of seconds
// is seen beside a deadline of an hour.
export function scaleOf(t: Trace, width: number): (s: number) => number {
  const at = [...new Set((t.moments ?? []).flatMap((m) => [m.clock, ...(m.event ? [m.event.at] : []), ...(m.keys ?? []).flatMap((k) => [k.from, k.to, ...(k.due === undefined ? [] : [k.due])])]))].sort((a, b) => a - b)
  const far = [0]
  for (let i = 1; i < at.length; i++) far.push(far[i - 1]! + Math.log1p(at[i]! - at[i - 1]!))
  const all = far.at(-1) || 1
  return (s) => {
    let i = at.findLastIndex((x) => x <= s)
    if (i < 0) return 0
    if (i > at.length - 2) i = at.length - 2
    if (i < 0) return width / 2
    const part = Math.min(1, (s - at[i]!) / (at[i + 1]! - at[i]!))
    return (far[i]! + part * (far[i + 1]! - far[i]!)) / all * width
  }
}
