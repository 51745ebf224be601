// SPDX-License-Identifier: Apache-2.0
// What surrounds an incident, as the API tells it.
import type { Entity, Incident, Page } from './types'

export interface RelatedIncident { incident: Incident; shared: Entity[] }

// relatedOf reads a page of related incidents: each is an incident beside the entities that both have, or has them itself.
export function relatedOf(page: unknown): RelatedIncident[] {
  const items = (page as Page<Record<string, unknown>>).items ?? []
  return items.map((r) => {
    const shared = (r['shared'] ?? r['entities'] ?? []) as Entity[]
    return { incident: (r['incident'] ?? r) as Incident, shared }
  })
}

export interface Act {
  at: string
  kind: string
  actor: string
  text: string
}
