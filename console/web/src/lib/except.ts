// SPDX-License-Identifier: Apache-2.0
// Exceptions: the conditions that one is made of, and how it is written into a rule file.
import type { Evidence, Rule } from './types'
import { text } from './why'

export interface Draft { when: string; reason: string; owner: string; expires: string }

// termOf is the condition that a field has a value, in the type that it has in the event.
export function termOf(field: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((v) => `has(${field}, ${JSON.stringify(v)})`).join(' and ')
  return `${field} == ${JSON.stringify(value)}`
}

// split takes an expression apart where `and` and `or` stand outside of quotes and brackets.
function split(expression: string): { parts: string[]; or: boolean } {
  const parts = ['']
  let depth = 0
  let or = false
  for (const [token] of expression.matchAll(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[\w.@]+|\s+|./gs)) {
    if ('([{'.includes(token)) depth++
    else if (')]}'.includes(token)) depth--
    if (depth === 0 && token === 'or') or = true
    if (depth === 0 && token === 'and') parts.push('')
    else parts[parts.length - 1] += token
  }
  return { parts: parts.map((p) => p.trim()).filter(Boolean), or }
}

// termsOf are the conditions that all have to hold; an expression with an `or` is one of them.
export function termsOf(expression: string): string[] {
  const { parts, or } = split(expression)
  return or ? [expression.trim()] : parts
}

// turned adds a condition to an expression, or takes it out if it is there.
export function turned(expression: string, term: string): string {
  const has = termsOf(expression)
  const own = termsOf(term)
  if (own.every((t) => has.includes(t))) return has.filter((t) => !own.includes(t)).join(' and ')
  const before = split(expression).or ? [`(${expression.trim()})`] : has // `or` binds less than what is added
  return [...before, ...own.filter((t) => !has.includes(t))].join(' and ')
}

export const holdsTerm = (expression: string, term: string) => {
  const has = termsOf(expression)
  return termsOf(term).every((t) => has.includes(t))
}

// Each event has its own, they say what others say, or they are no reason to leave anything out.
const unfit = /^(@timestamp|event\.(id|ingested|reason|kind|category|type|outcome|module|dataset|severity)|message|related\..*|observer\.name|rule\.ruleset)$/
// Who, where and with what: of these first.
const telling = ['user.name', 'source.ip', 'host.name', 'k8s.namespace.name', 'k8s.pod.name', 'container.image.name', 'process.name', 'process.command_line', 'process.parent.name', 'file.path', 'destination.ip', 'destination.port']
const offeredMost = 24

export interface Offer { field: string; value: unknown; term: string; times: number }

// offers are conditions from the values of events: of the fields that tell most, and then those that most of the events have.
export function offers(evidence: Evidence[]): Offer[] {
  const all = new Map<string, Offer>()
  for (const e of evidence) {
    for (const [field, value] of Object.entries(e.fields)) {
      if (value === null || value === '' || unfit.test(field) || (typeof value === 'object' && !Array.isArray(value))) continue
      for (const v of Array.isArray(value) ? value.map((x) => [x]) : [value]) {
        const term = termOf(field, v)
        const o = all.get(term)
        if (o) o.times++
        else all.set(term, { field, value: Array.isArray(v) ? v[0] : v, term, times: 1 })
      }
    }
  }
  const place = (o: Offer) => (telling.includes(o.field) ? telling.indexOf(o.field) : telling.length)
  const rank = (o: Offer) => (telling.includes(o.field) ? 0 : 1)
  return [...all.values()].sort((a, b) => rank(a) - rank(b) || b.times - a.times || place(a) - place(b) || a.term.localeCompare(b.term)).slice(0, offeredMost)
}

// pressedTerm is the condition of a value that was pressed. On the page it is a text; its type is that of the events.
export function pressedTerm(field: string, value: string, evidence: Evidence[]): string {
  for (const e of evidence) {
    const v = e.fields[field]
    if (Array.isArray(v)) {
      const one = v.find((x) => text(x) === value)
      if (one !== undefined) return termOf(field, [one])
    } else if (v !== undefined && v !== null && text(v) === value) return termOf(field, v)
  }
  return termOf(field, value)
}

const escaped = (s: string) => JSON.stringify(s).replace(/[\x7f-\x9f\u2028\u2029\ufeff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))

// scalar writes a text as a value of YAML, as it is where that is read as the same text.
function scalar(s: string): string {
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]/.test(s)) return escaped(s)
  if (/^[A-Za-z][\w.]*[ (]\S/.test(s) && !/: |:$| #|\s$/.test(s)) return s
  if (/^[A-Za-z][\w.-]*$/.test(s) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(s)) return s
  return `'${s.replaceAll("'", "''")}'`
}

// itemOf is an exception as an item of a list, its lines set off by so many spaces.
export function itemOf(d: Draft, indent = 2): string {
  const pad = ' '.repeat(indent)
  const line = (s: string) => scalar(s.trim().replace(/\s*\n\s*/g, ' '))
  return `${pad}- when: ${line(d.when)}\n${pad}  reason: ${line(d.reason)}\n${pad}  owner: ${line(d.owner)}\n${pad}  expires: ${d.expires}\n`
}

export interface Written { text: string; from: number; to: number }

// written puts an exception into a rule's text and says which lines are its own, from 1; null if that is no native rule, whose
// exceptions are under \`except\`, or one that is written in a way that is better left to people.
export function written(rule: string, d: Draft): Written | null {
  if (!/^rule:/m.test(rule)) return null
  const lines = rule.replace(/\n*$/, '\n').split('\n').slice(0, -1)
  const has = lines.findIndex((l) => /^except\s*:/.test(l))
  let at: number
  let added: string[]
  if (has >= 0) {
    const rest = lines[has]!.replace(/^except\s*:/, '').replace(/(^|\s)#.*$/, '').trim()
    if (rest === '[]') lines[has] = 'except:'
    else if (rest) return null
    // A list may stand at the margin, too; a comment there that follows the last item belongs to what comes next.
    let indent = -1
    at = has + 1
    for (let i = at; i < lines.length && /^( |-(?!--)|#|$)/.test(lines[i]!); i++) {
      const item = /^( *)- /.exec(lines[i]!)
      if (indent < 0 && item) indent = item[1]!.length
      else if (indent < 0 && /^ *[^\s#]/.test(lines[i]!)) return null
      if (/^[ -]/.test(lines[i]!)) at = i + 1
    }
    if (indent < 0) indent = 2
    added = itemOf(d, indent).trimEnd().split('\n')
  } else {
    at = lines.findIndex((l, i) => i > 0 && /^(incident|shadow|tests)\s*:|^(---|\.\.\.)\s*$/.test(l))
    if (at < 0) at = lines.length
    while (at > 0 && /^(#.*)?$/.test(lines[at - 1]!)) at--
    added = ['except:', ...itemOf(d).trimEnd().split('\n')]
  }
  lines.splice(at, 0, ...added)
  return { text: lines.join('\n') + '\n', from: at + 1, to: at + added.length }
}

// overOthers: what leads to a firing point of another rule is left out by an exception of that rule alone.
export const overOthers = (rule: Rule) => (rule.patterns ?? []).some((p) => p.expression.startsWith('detection('))

// dayAfter is the date, in UTC, so many days from a moment.
export const dayAfter = (now: number, days: number) => new Date(now + days * 86_400_000).toISOString().slice(0, 10)
