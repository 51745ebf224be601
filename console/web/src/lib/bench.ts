// SPDX-License-Identifier: Apache-2.0
// The rule bench without its page: what the editor does to a text, and what a backtest says beside what there is.
import type { components } from '../schema'
import type { Incident } from './types'

type S = components['schemas']
export type Check = S['RuleCheck']
export type Finding = S['Finding']
export type Job = S['Backtest']
export type Predicted = S['BacktestIncident']
export type Result = S['BacktestResult']

// slot is where the tab keeps what was written, for each rule that it began from.
export const slot = (rule: string) => 'bench:' + rule

// As many characters are checked.
export const most = 262_144

export const template = `# A rule says which events belong together, and when they are an incident.
# docs/rules.md teaches the language, docs/rules-reference.md has every word of it.
rule: many-failed-logins
title: Many failed logins of one account
severity: medium
attack: [T1110]
description: Somebody tries passwords.
runbook: Ask the account's owner; lock the account if it was not them.

# A pattern is what one event looks like.
match:
  failed: event.category == "authentication" and event.outcome == "failure"

# What has to come together, for each value of \`by\`, within so much time.
when: count(failed) >= 3
by: [user.name]
within: 10m

# A test is events and what the rule must make of them. They run while you write.
tests:
  - name: three failures are an incident
    events:
      - {at: 0s, event.category: authentication, event.outcome: failure, user.name: ana}
      - {at: 10s, event.category: authentication, event.outcome: failure, user.name: ana}
      - {at: 20s, event.category: authentication, event.outcome: failure, user.name: ana}
    expect: [{key: {user.name: ana}, count: 3}]
  - name: two are none
    events:
      - {at: 0s, event.category: authentication, event.outcome: failure, user.name: ana}
      - {at: 10s, event.category: authentication, event.outcome: failure, user.name: ana}
    expect: []
`

// unixLines is a text as a textarea has it: its lines end in one way, and offsets are the same in both.
export const unixLines = (text: string) => text.replace(/\r\n?/g, '\n')

// Edit replaces what is between two offsets, and says what is selected then.
export interface Edit { from: number; to: number; text: string; start: number; end: number }

// indented is what Tab does: two spaces at the caret, or before each line of a selection; back takes them away.
export function indented(text: string, start: number, end: number, back: boolean): Edit {
  if (start === end && !back) return { from: start, to: end, text: '  ', start: start + 2, end: start + 2 }
  const from = text.lastIndexOf('\n', start - 1) + 1
  // A selection that ends at the beginning of a line does not have that line.
  const last = end > start && text[end - 1] === '\n' ? end - 1 : end
  const next = text.indexOf('\n', last)
  const to = next < 0 ? text.length : next
  const before = text.slice(from, to).split('\n')
  const after = before.map((l) => (back ? l.replace(/^ {1,2}/, '') : l && '  ' + l))
  const first = after[0]!.length - before[0]!.length
  const all = after.join('\n')
  return { from, to, text: all, start: Math.max(from, start + first), end: Math.max(from, end + all.length - (to - from)) }
}

// lineBreak is what Enter does: the next line begins below the first word of this one, or below that of an item of a list.
export function lineBreak(text: string, start: number, end: number): Edit {
  const line = text.slice(text.lastIndexOf('\n', start - 1) + 1, start)
  const indent = /^ */.exec(line)![0] + (/^ *- \w[^{]*:/.test(line) ? '  ' : '') + (/(^|[^#]*):( [|>]-?)?$/.test(line) && !/^ *- /.test(line) ? '  ' : '')
  return { from: start, to: end, text: '\n' + indent, start: start + 1 + indent.length, end: start + 1 + indent.length }
}

// offsetOf is where a line and a column are, which count from 1; columns are characters and offsets are not.
export function offsetOf(text: string, line: number, column: number): number {
  const lines = text.split('\n')
  const at = Math.min(Math.max(line, 1), lines.length) - 1
  const before = lines.slice(0, at).reduce((n, l) => n + l.length + 1, 0)
  return before + [...lines[at]!].slice(0, Math.max(column, 1) - 1).join('').length
}

// fileName is that of the file that a text is saved as.
export function fileName(text: string): string {
  const id = /^rule:\s*["']?([a-z0-9][a-z0-9-]*)/m.exec(text)?.[1]
  const title = /^title:\s*["']?(.+)/m.exec(text)?.[1]
  return (id ?? title?.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 80)) || 'rule'
}

export interface Row { change: '' | 'new' | 'gone' | 'changed' | 'same'; fields: string[]; was: Predicted | null; of: Predicted }

// rowsOf lists what differs first, then what is the same. If there are more differences than are listed, nobody knows of the others.
export function rowsOf(r: Result): Row[] {
  const c = r.comparison
  if (!c) return (r.incidents ?? []).map((of) => ({ change: '', fields: [], was: null, of }))
  const listed = c.differences ?? []
  const rows: Row[] = listed.map((d) => ({
    change: ({ added: 'new', removed: 'gone', changed: 'changed' } as const)[d.change], fields: d.fields ?? [], was: d.before ?? null, of: (d.after ?? d.before)!,
  }))
  const known = new Set(listed.flatMap((d) => (d.after ? [same(d.after)] : [])))
  const rest = c.added + c.removed + c.changed > listed.length ? '' : 'same'
  for (const of of r.incidents ?? []) if (!known.has(same(of))) rows.push({ change: rest, fields: [], was: null, of })
  return rows
}

const same = (p: Predicted) => [p.rule, keyText(p.key), p.first_event, p.last_event].join('\0')

// keyText is a key in one line.
export const keyText = (key: Record<string, unknown>) =>
  Object.keys(key).sort().map((k) => `${k} = ${typeof key[k] === 'string' ? key[k] : JSON.stringify(key[k])}`).join(', ')

// madeOf is the incident that there is of what was predicted: of the same rule and key, at the same time; null if there is none.
export function madeOf(incidents: Incident[], p: Predicted): Incident | null {
  const [first, last] = [Date.parse(p.first_event ?? ''), Date.parse(p.last_event ?? '')]
  return incidents.find((v) => v.rule.id === p.rule && keyText(v.key) === keyText(p.key)
    && Date.parse(v.first_event ?? '') <= last && Date.parse(v.last_event ?? '') >= first) ?? null
}
