// SPDX-License-Identifier: Apache-2.0
// What a line of the tail says: an event, a detection, what became of telling an alert, or that something is missing.
import type { components } from '../schema'
import { keyText } from './bench'
import type { Message } from './messages'
import { words } from './types'

interface About { id: string; title: string; severity: string }
interface Change { incident: About; detection: components['schemas']['DetectionView'] }
// Delivered is api.Delivery: what a stream has is not in the document.
interface Delivered {
  incident: About
  delivery: { alert: number; key: string; receiver: string; kind: string; outcome: Outcome; attempt: number; time: string; error: string; silenced_by: string }
}

// outcomes are what may become of an attempt to tell an alert, in words, and how they look.
export const outcomes = {
  sent: ['sent', 'good'], retry: ['failed, tried again', 'warm'], dead: ['given up', 'bad'], silenced: ['silenced', 'soft'],
} as const
export type Outcome = keyof typeof outcomes

export interface Seen {
  id: number
  time: string | null
  source: string
  text: string
  fields: Record<string, unknown>
  // of is the incident of a detection or an alert.
  of?: { id: string; severity: string }
  // outcome is an alert's, why what its receiver said or what silences it.
  outcome?: Outcome
  why?: string
  // gap says what is missing before it, and why.
  gap?: string
}

// seenOf reads a message of a stream; null says nothing to who looks.
export function seenOf(m: Message, id: number): Seen | null {
  if (!m.data) return null
  const v = JSON.parse(m.data)
  switch (m.event) {
    case 'event': return { id, time: v.time, source: v.source, text: String(v.fields['message'] ?? v.fields['event.action'] ?? ''), fields: v.fields }
    case 'detection': return detectionOf(v, id)
    case 'delivery': return deliveryOf(v, id)
    case 'gap': return { id, time: null, source: '', text: '', fields: {}, gap: gapOf(v) }
  }
  return null
}

function detectionOf({ incident, detection: d }: Change, id: number): Seen {
  const key = (d.key ?? {}) as Record<string, unknown>
  return {
    id, time: d.last_event ?? null, source: d.rule.id, of: { id: incident.id, severity: incident.severity },
    text: `${incident.title}: ${d.retracted ? 'retracted' : d.event_count === 1 ? '1 event' : d.event_count + ' events'}${d.capped ? ', capped' : ''}, ${keyText(key)}`,
    fields: { ...key, ...Object.fromEntries(Object.entries(d.steps).map(([step, n]) => ['step ' + step, n])), 'first event': d.first_event, 'last event': d.last_event },
  }
}

function deliveryOf({ incident, delivery: d }: Delivered, id: number): Seen {
  const why = d.error || d.silenced_by
  return {
    id, time: d.time, source: d.receiver, of: { id: incident.id, severity: incident.severity }, outcome: d.outcome,
    text: `${words(d.kind)}: ${incident.title}`, why: [d.attempt > 1 ? 'attempt ' + d.attempt : '', why].filter(Boolean).join(': '),
    fields: { receiver: d.receiver, outcome: d.outcome, kind: d.kind, attempt: d.attempt, ...(d.error ? { answer: d.error } : {}), ...(d.silenced_by ? { 'silenced by': d.silenced_by } : {}), key: d.key },
  }
}

function gapOf(v: { reason?: string; lost?: number }): string {
  switch (v.reason) {
    case 'retention': return v.lost ? `${v.lost} messages of the log are no longer kept: they are missing here` : 'Some of the log is no longer kept: it is missing here'
    case 'slow': return 'This page did not keep up; it goes on where it was'
    case 'unknown': return 'The log was made anew: what came meanwhile is missing here'
  }
  return 'One was too large to show'
}

// holds tells whether an event has all words of a filter; name:text looks into one field. What is missing is for everybody.
export function holds(e: Seen, filter: string): boolean {
  const all = () => (e.source + ' ' + e.text + ' ' + JSON.stringify(e.fields)).toLowerCase()
  return e.gap !== undefined || filter.toLowerCase().split(/\s+/).filter(Boolean).every((word) => {
    const colon = word.indexOf(':')
    const name = word.slice(0, colon)
    if (colon > 0 && (name === 'source' || name in e.fields)) {
      const v = name === 'source' ? e.source : e.fields[name]
      return (typeof v === 'string' ? v : JSON.stringify(v) ?? '').toLowerCase().includes(word.slice(colon + 1))
    }
    return all().includes(word)
  })
}
