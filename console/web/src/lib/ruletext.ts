// SPDX-License-Identifier: Apache-2.0
// What the bench writes into the text of a rule: a test, and whether it runs in shadow. What is there stays as it is written.
import type { Edit } from './bench'
import { everything, stateAt, type Detection, type TestEvent, type Trace } from './trace'

// part is a document of a file: a rule, and where it is.
interface Part { from: number; to: number; id: string }

function parts(text: string): Part[] {
  const out: Part[] = []
  let from = 0
  for (const end of [...text.matchAll(/^---.*$/gm), null]) {
    const to = end ? end.index : text.length
    const id = /^rule:\s*["']?([^\s"'#]+)/m.exec(text.slice(from, to))?.[1]
    if (id) out.push({ from, to, id })
    if (end) from = Math.min(to + end[0].length + 1, text.length)
  }
  return out
}

// edit is the least that makes one text of another. Nothing is selected then: the next key would delete it.
function edit(was: string, now: string): Edit {
  let from = 0
  while (from < was.length && was[from] === now[from]) from++
  let tail = 0
  while (tail < was.length - from && tail < now.length - from && was[was.length - 1 - tail] === now[now.length - 1 - tail]) tail++
  const text = now.slice(from, now.length - tail)
  return { from, to: was.length - tail, text, start: from + text.length, end: from + text.length }
}

const shadow = /^shadow:[ \t]*true\b.*\n?/m

// inShadow tells whether every rule of a text is in shadow; null if none could be.
export function inShadow(text: string): boolean | null {
  const all = parts(text)
  return all.length ? all.every((p) => shadow.test(text.slice(p.from, p.to))) : null
}

// shadowEdit puts the rules of a text into shadow, or takes them out.
export function shadowEdit(text: string, on: boolean): Edit {
  let now = text
  for (const p of parts(text).reverse()) {
    let doc = text.slice(p.from, p.to)
    if (!on) doc = doc.replace(shadow, '')
    else if (/^shadow:.*$/m.test(doc)) doc = doc.replace(/^shadow:.*$/m, 'shadow: true')
    else {
      const after = /^severity:.*$/m.exec(doc) ?? /^title:.*$/m.exec(doc) ?? /^rule:.*$/m.exec(doc)!
      const at = after.index + after[0].length
      doc = doc.slice(0, at) + '\nshadow: true' + doc.slice(at)
    }
    now = now.slice(0, p.from) + doc + now.slice(p.to)
  }
  return edit(text, now)
}

// flow writes a value so that YAML reads it as it is.
function flow(v: unknown): string {
  if (Array.isArray(v)) return '[' + v.map(flow).join(', ') + ']'
  if (typeof v === 'object' && v !== null) return '{' + Object.entries(v).map(([k, x]) => `${flow(k)}: ${flow(x)}`).join(', ') + '}'
  if (typeof v === 'string' && /^([A-Za-z][\w.-]*|\d+[smhdw])$/.test(v) && !/^(true|false|null|yes|no|on|off|y|n|nan|inf)$/i.test(v)) return v
  return JSON.stringify(v)
}

// found are the detections that stand at the end of a trace, as a test expects them.
export function found(t: Trace): Record<string, unknown>[] {
  const n = t.moments?.length ?? 0
  if (!n) return []
  const last = stateAt(t, n - 1).detections
  const all = everything(t).detections.map((d) => last.get(d.id)!).filter((d) => d.state === 'open' || d.state === 'settled')
  const key = (d: Detection) => flow(d.key)
  return all.sort((a, b) => a.first - b.first).map((d) => ({
    ...(Object.keys(d.key).length ? { key: d.key } : {}), count: d.event_count,
    // Of several of one key it takes their times to tell them apart.
    ...(all.filter((o) => key(o) === key(d)).length > 1 ? { first: d.first + 's', last: d.last + 's' } : {}),
  }))
}

// bare is YAML with spaces for its comments.
const bare = (yaml: string) => yaml.replace(/(?<=[[{,:](?:\s|#.*)*)(?:"(?:\\[^]|[^"\\])*"|'(?:''|[^'])*')|(?<!\S)#.*/g, (m) => (m.startsWith('#') ? ' '.repeat(m.length) : m))

// inFlow puts an entry into a list in brackets: behind the last one, and on a line of its own if the bracket is on one.
function inFlow(list: string, entry: string): string {
  const yaml = bare(list)
  const close = yaml.lastIndexOf(']')
  const at = yaml.slice(0, close).trimEnd().length
  const comma = /[[,]/.test(list[at - 1]!) ? '' : ','
  const line = list.lastIndexOf('\n', close)
  if (line >= at) return list.slice(0, at) + comma + list.slice(at, line) + '\n' + list.slice(line + 1, close) + '  ' + entry + list.slice(line)
  return list.slice(0, at) + comma + (list[at - 1] === '[' ? '' : ' ') + entry + list.slice(at)
}

// named tells whether a rule has a test of a name, however that is quoted.
function named(doc: string, name: string): boolean {
  const ways = [name, JSON.stringify(name), `'${name.replaceAll("'", "''")}'`].map((s) => s.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`(?:^|[\\s{,])name:[ \\t]*(?:${ways.join('|')})[ \\t]*(?:[,}#]|$)`, 'm').test(doc)
}

// testEdit appends a test to a rule, under a name that no other has: events as they were given, and what was found. It is null if the rule is not there.
export function testEdit(text: string, title: string, events: TestEvent[], t: Trace): Edit | null {
  const p = parts(text).find((x) => x.id === t.rule)
  if (!p) return null
  const doc = text.slice(p.from, p.to)
  let name = title
  for (let n = 2; named(doc, name); n++) name = `${title} ${n}`
  const key = /^tests:[ \t]*(.*)$/m.exec(doc)
  const expect = flow(found(t))
  const block = (dash: string) =>
    [`${dash}- name: ${flow(name)}`, `${dash}  events:`, ...events.map((e) => `${dash}    - ${flow(e)}`), `${dash}  expect: ${expect}`].join('\n') + '\n'
  const whole = doc.endsWith('\n') || doc === '' ? doc : doc + '\n'
  let now: string
  if (!key) now = whole.trimEnd() + '\ntests:\n' + block('  ')
  else if (/^\[\s*\]/.test(key[1]!)) now = whole.slice(0, key.index) + 'tests:' + key[1]!.replace(/^\[\s*\]/, '') + '\n' + block('  ') + whole.slice(key.index + key[0].length + 1)
  else {
    // It ends before the next key at the margin.
    const after = key.index + key[0].length
    const next = /^[^\s#\-\]}]/m.exec(whole.slice(after))
    const end = after + whole.slice(after, next ? after + next.index : undefined).trimEnd().length
    if (key[1]!.startsWith('[')) {
      const list = after - key[1]!.length
      now = whole.slice(0, list) + inFlow(whole.slice(list, end), flow({ name, events, expect: found(t) })) + whole.slice(end)
    } else {
      const dash = /^( *)- /m.exec(whole.slice(after, end))?.[1] ?? '  '
      now = whole.slice(0, end) + '\n' + block(dash) + whole.slice(end).replace(/^\n/, '')
    }
  }
  return edit(text, text.slice(0, p.from) + now + text.slice(p.to))
}
