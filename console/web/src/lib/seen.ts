// SPDX-License-Identifier: Apache-2.0
// What a line of the tail says: an event, a detection, or that something is missing.
import type { components } from '../schema'
import { keyText } from './bench'
import type { Message } from './messages'

interface Change { incident: { id: string; title: string; severity: string }; detection: components['schemas']['DetectionView'] }

export interface Seen {
  id: number
  time: string | null
  source: string
  text: string
  fields: Record<string, unknown>
  // of is the incident of a detection.
  of?: { id: string; severity: string }
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
