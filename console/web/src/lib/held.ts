// SPDX-License-Identifier: Apache-2.0
// What keeps an alert from being told, as its silenced_by has it.
import { incidentAt, silenceAt } from './routes'

export interface Held { text: string; title?: string; href?: string }

// heldBy reads it, for who may or may not look at silences. The beginning of an id is enough for the eye; what has none, a mute time or that the incident is over, is said as it is.
export function heldBy(by: string, silences: boolean): Held {
  const [, what, id] = /^(silence|incident) (\S+)$/.exec(by) ?? []
  if (!what || !id) return { text: by }
  const href = what === 'incident' ? incidentAt(id) : silences ? silenceAt(id) : undefined
  return { text: `${what} ${id.slice(0, 8)}`, title: by, href }
}
