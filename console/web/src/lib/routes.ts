// SPDX-License-Identifier: Apache-2.0
// Which page an address is.

export type Page =
  | { name: 'triage' | 'rules' | 'bench' | 'exceptions' | 'draft' | 'attack' | 'sources' | 'quarantine' | 'alerts' | 'silences' | 'tail' | 'audit' | 'status' | 'none' }
  | { name: 'incident' | 'rule'; id: string }
  | { name: 'entity'; type: string; entity: string }

// The first parts of the addresses that are pages; console.go serves the page at these.
export const pages = ['incidents', 'rules', 'bench', 'exceptions', 'attack', 'entities', 'sources', 'quarantine', 'alerts', 'silences', 'tail', 'audit', 'status'] as const

export function pageOf(path: string): Page {
  let parts: string[]
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    return { name: 'none' }
  }
  const [first, id, rest] = parts
  if (first === undefined || (first === 'incidents' && id === undefined)) return { name: 'triage' }
  if (first === 'incidents' && parts.length === 2 && id) return { name: 'incident', id }
  if (first === 'rules' && parts.length === 2 && id) return { name: 'rule', id }
  if (first === 'entities' && parts.length === 3 && id && rest) return { name: 'entity', type: id, entity: rest }
  if (first === 'exceptions' && parts.length === 2 && id === 'new') return { name: 'draft' }
  if (parts.length > 1) return { name: 'none' }
  switch (first) {
    case 'rules': case 'bench': case 'exceptions': case 'attack': case 'sources': case 'quarantine': case 'alerts': case 'silences': case 'tail': case 'audit': case 'status':
      return { name: first }
  }
  return { name: 'none' }
}

export const incidentAt = (id: string) => '/incidents/' + encodeURIComponent(id)
// silenceAt is the list of silences, with that one marked.
export const silenceAt = (id: string) => '/silences?' + new URLSearchParams({ id })
export const ruleAt = (id: string) => '/rules/' + encodeURIComponent(id)
export const entityAt = (type: string, name: string) => `/entities/${encodeURIComponent(type)}/${encodeURIComponent(name)}`
// valueAt is the live tail of a value. Its filter knows words, so only the first of several is asked for.
export const valueAt = (field: string, value: string) => '/tail?' + new URLSearchParams({ q: `${field}:${value.split(/\s/)[0]}` })
// withEntity is the list of all incidents of an entity.
export const withEntity = (type: string, name: string) => '/?' + new URLSearchParams({ status: 'all', entity: `${type}:${name}` })
// draftAt is the draft of an exception, begun with what is known: its rule, or an incident that it would have left out, and a value.
export function draftAt(from: { rule?: string; incident?: string; field?: string; value?: string }): string {
  const q = new URLSearchParams(Object.entries(from).filter(([, v]) => v !== undefined))
  return '/exceptions/new' + (q.size ? '?' + q : '')
}
