// SPDX-License-Identifier: Apache-2.0
// What the editor of rules offers at the caret: the words of the rule language (words.json, which a test of package rules holds to
// it), the rule's own patterns, and techniques.
import techniques from './techniques.json'
import words from './words.json'

// Word is one offer: its name, what it is, and what is written for it.
export interface Word { name: string; what: string; text: string }
// Offer replaces what is between two offsets by one of its words.
export interface Offer { from: number; to: number; words: Word[] }

type Words = Record<string, string>

const sections: Record<string, keyof typeof words.keys> = { except: 'an exception', incident: 'incident', tests: 'a test', 'tests.expect': 'an expectation' }

// offered is what fits at the caret. Without being asked it waits for two characters; null is nothing.
export function offered(text: string, caret: number, asked = false): Offer | null {
  const begin = text.lastIndexOf('\n', caret - 1) + 1
  const line = text.slice(begin, caret)
  const at = placeOf(text, begin, line)
  if (!at) return null
  const word = /[@\w.]*$/.exec(line)![0]
  if (!asked && (word.length < 2 || /^[\w.]/.test(text.slice(caret)))) return null
  const found = ranked(distinct(fitting(text, begin, at)), word)
  if (found.length === 0 || (!asked && found[0]!.name === word)) return null
  // What follows already is not written twice.
  const next = text.slice(caret).match(/^(: ?|\()/)?.[0]
  return { from: caret - word.length, to: caret, words: next ? found.map((w) => ({ ...w, text: w.text.replace(/(: ?|\()$/, '') })) : found }
}

// Of words of one name the first is meant: a pattern may be called as a field or a form is.
function distinct(all: Word[]): Word[] {
  const seen = new Set<string>()
  return all.filter((w) => !seen.has(w.name) && seen.add(w.name))
}

// Words that begin with what is written come first, then those of which a part does: pod leads to k8s.pod.name.
function ranked(all: Word[], word: string): Word[] {
  const w = word.toLowerCase()
  const whole = all.filter((o) => o.name.toLowerCase().startsWith(w))
  return [...whole, ...all.filter((o) => !whole.includes(o) && o.name.toLowerCase().split(/[._]/).some((_, i, parts) => parts.slice(i).join('.').startsWith(w)))]
}

const listOf = (of: Words, after = ''): Word[] => Object.entries(of).map(([name, what]) => ({ name, what, text: name + after }))
const fields = listOf(words.fields)
const raw = { name: 'raw', what: "all else of the source's own record: raw.…", text: 'raw.' }

// Place is where a caret is: the keys that lead there, and whether a key could be written.
interface Place { path: string[]; key: boolean }

function fitting(text: string, begin: number, { path, key }: Place): Word[] {
  const keys = key ? keysAt(text, begin, path) : null
  if (keys) return keys
  const [top, ...rest] = path
  const within = rest.join('.')
  const severities = listOf(Object.fromEntries(words.severities.map((s) => [s, ''])))
  const expression = [...fields, raw, ...listOf(words.functions, '(')]
  const { detection, score, ...forms } = words.forms
  switch (top) {
    case 'severity': return severities
    case 'shadow': return listOf({ true: '', false: '' })
    case 'attack': return listOf(Object.fromEntries(Object.entries(techniques as Record<string, string[]>).map(([id, tactics]) => [id, tactics.join(', ')])))
    case 'by': return fields
    case 'match': return [...expression, ...listOf({ detection }, '(')]
    case 'when': return [...listOf(patterns(text, begin)), ...listOf({ score }), ...listOf(forms, '('), ...fields]
    case 'except': return within === 'when' ? expression : []
    case 'incident': return within === 'group_by' ? fields : []
    case 'tests': return within === 'expect.severity' ? severities : []
  }
  return []
}

// keysAt are the keys that fit, null where none has a name that is known.
function keysAt(text: string, begin: number, path: string[]): Word[] | null {
  const where = path.join('.')
  switch (where) {
    case '': return ruleKeys(text, begin)
    case 'match': return [] // a pattern's name is yet to be thought of
    case 'weights': return listOf(patterns(text, begin), ': ')
    case 'tests.expect.key': return listOf(words.fields, ': ')
    case 'tests.events': return listOf({ ...words.keys['a test event'], ...words.fields }, ': ')
  }
  const section = sections[where]
  return section ? listOf(words.keys[section] as Words, ': ') : null
}

// ruleKeys are the keys that the rule does not have yet.
function ruleKeys(text: string, begin: number): Word[] {
  const has = new Set(documentAt(text, begin).split('\n').map((l) => /^(\w+):/.exec(l)?.[1]))
  return listOf(words.keys.rule, ': ').filter((w) => !has.has(w.name))
}

// patterns are those of the rule, with their expressions.
function patterns(text: string, begin: number): Words {
  const body = /^match:[^\S\n]*\n((?:[^\S\n]+.*(?:\n|$)|[^\S\n]*(?:#.*)?\n)*)/m.exec(documentAt(text, begin))?.[1] ?? ''
  const indent = /^ +/m.exec(body)?.[0] ?? ' '
  const out: Words = {}
  for (const l of body.split('\n')) {
    const m = /^( +)([a-z][a-z0-9_]*):\s*(.*)/.exec(l)
    if (m && m[1] === indent) out[m[2]!] = m[3]!
  }
  return out
}

// documentAt is the document of a file of several that a place is in.
function documentAt(text: string, at: number): string {
  const from = text.slice(0, at).lastIndexOf('\n---')
  const to = text.indexOf('\n---', at)
  return text.slice(from < 0 ? 0 : from + 4, to < 0 ? undefined : to)
}

// placeOf reads the lines above as far as their indentation leads up, and the line itself up to the caret. It is null in a comment
// and in a string.
function placeOf(text: string, begin: number, line: string): Place | null {
  const flow = flowOf(line)
  if (!flow) return null
  const above: string[] = []
  let indent = width(line)
  for (const l of text.slice(0, begin).split('\n').reverse()) {
    if (l.startsWith('---') || indent === 0) break
    if (l.trim() === '' || l.trim().startsWith('#') || width(l) >= indent) continue
    indent = width(l)
    const key = /^[\s-]*(\w[\w.]*):/.exec(l)?.[1]
    if (key) above.unshift(key)
  }
  return { path: [...above, ...flow.path], key: flow.key }
}

// width is how far a line's words are from the margin; the dash of a list counts.
const width = (line: string) => /^ *(- *)*/.exec(line)![0].length

// flowOf is where a line leads: the keys before what is written last, through braces and brackets.
function flowOf(line: string): Place | null {
  const open: { brace: boolean; key: string }[] = [{ brace: true, key: '' }]
  let quote = ''
  let word = ''
  const rest = line.slice(width(line))
  for (const [i, c] of [...rest].entries()) {
    const last = open.at(-1)!
    if (quote) {
      if (c === quote) quote = ''
    } else if (c === '#' && !/\S/.test(rest[i - 1] ?? ' ')) {
      return null
    } else if ((c === '{' || c === '[') && word.trim() === '') {
      open.push({ brace: c === '{', key: '' })
    } else if ((c === '}' || c === ']') && open.length > 1) {
      open.pop()
    } else if (c === ',' && open.length > 1) {
      if (last.brace) last.key = ''
      word = ''
    } else if (c === ':' && last.brace && !last.key && /^\s*[\w.@]+$/.test(word)) {
      last.key = word.trim()
      word = ''
    } else {
      if (c === '"' || c === "'") quote = c
      word += c
    }
  }
  const last = open.at(-1)!
  if (quote) return null
  return { path: open.flatMap((o) => o.key || []), key: last.brace && !last.key && /^\s*[\w.@]*$/.test(word) }
}
