// SPDX-License-Identifier: Apache-2.0
// The timeline's entries that are about people and receivers, in words.
import { words } from './types'

export interface Entry { at: string | null; who: string; what: string; text: string }

type Raw = Record<string, unknown>
const str = (v: unknown) => (typeof v === 'string' ? v : '')

// entryOf reads one item of the timeline; null if it is an event or a detection, which are shown elsewhere.
export function entryOf(item: unknown): Entry | null {
  const raw = item as Raw
  const kind = str(raw['kind'])
  const body = (typeof raw[kind] === 'object' && raw[kind] !== null ? raw[kind] : raw) as Raw
  const at = str(raw['at']) || str(raw['time']) || null
  if (kind === 'event' || kind === 'detection') return null
  if (kind === 'alert') {
    const state = str(body['state'])
    return { at, who: str(body['receiver']), what: state === 'sent' ? `was told: ${str(body['alert']) || str(body['kind'])}`.replace(/: (alert)?$/, '') : state === 'dead' ? 'was not told: given up' : `is not told yet (${words(state)})`, text: str(body['error']) }
  }
  const act = kind === 'act' ? str(body['act']) || str(body['kind']) : kind
  const detail = (body['detail'] ?? {}) as Raw
  const value = (name: string) => str(detail[name]) || str(body[name])
  const who = str(body['actor']) || str(body['by']) || str(raw['actor']) || (kind === 'act' ? 'Tocsin' : 'somebody')
  const to = value('to') || value(act)
  const what: Record<string, string> = {
    comment: 'wrote', status: `set it to ${words(to)}`, assignee: to ? `assigned it to ${to}` : 'assigned it to nobody',
    verdict: `closed it: ${words(value('verdict'))}`, close: `closed it: ${words(value('verdict'))}`, closing: `closed it: ${words(value('verdict'))}`,
    merge: `merged it into ${value('into') || to}`, unmerge: 'took it out of the one it was merged into',
  }
  return { at, who, what: what[act] ?? words(act), text: act === 'comment' ? value('text') : '' }
}
