// SPDX-License-Identifier: Apache-2.0
// The menu of a value: one for the whole page, opened by whichever value is pressed.
import { draftAt, entityAt, valueAt, withEntity } from './routes'

// The fields that are entities by themselves.
const entities: Record<string, string> = { 'user.name': 'user', 'source.ip': 'ip', 'host.name': 'host' }

export interface Item { text: string; href: string }

class Menu {
  field = $state('')
  value = $state('')
  // incident is the one that shows the value, if one does.
  incident = $state<string | undefined>()
  from = $state.raw<HTMLElement | null>(null)

  open(field: string, value: string, from: HTMLElement) {
    this.field = field
    this.value = value
    this.incident = from.closest<HTMLElement>('[data-incident]')?.dataset['incident']
    this.from = from
  }

  close() {
    this.from?.focus()
    this.from = null
  }
}

export const menu = new Menu()

// Where is who looks at a value: known tells whether the server has a page's operation, excepts whether they may draft an exception.
export interface Where { known: (operation: string) => boolean; excepts: boolean; incident?: string }

// leads are where a value leads to.
export function leads(field: string, value: string, { known, excepts, incident }: Where): Item[] {
  const type = entities[field]
  const out: Item[] = []
  if (type && known('GET entities/{type}/{name}')) out.push({ text: `The ${type} ${value}`, href: entityAt(type, value) })
  if (type) out.push({ text: 'Incidents about it', href: withEntity(type, value) })
  else out.push({ text: 'Incidents with this text', href: '/?' + new URLSearchParams({ status: 'all', q: value }) })
  out.push({ text: 'Follow it in the live tail', href: valueAt(field, value) })
  if (excepts) out.push({ text: 'Draft an exception with it', href: draftAt({ incident, field, value }) })
  return out
}
