// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest'
import { offered } from './offer'

// names are what is offered at the | of a text; null is nothing.
function names(marked: string, asked = false): string[] | null {
  const at = marked.indexOf('|')
  return offered(marked.replace('|', ''), at, asked)?.words.map((w) => w.name) ?? null
}
// taken is the text with the first word taken.
function taken(marked: string): string {
  const text = marked.replace('|', '')
  const o = offered(text, marked.indexOf('|'), true)!
  return text.slice(0, o.from) + o.words[0]!.text + '|' + text.slice(o.to)
}

const rule = `rule: x
match:
  # Who fails.
  failed: event.outcome == "failure"
  login: event.outcome == "success"
`

describe('what the editor offers', () => {
  it('has the keys of where one is', () => {
    expect(names('se|')).toEqual(['severity'])
    expect(names('rule: x\nru|')).toEqual(['runbook'])
    expect(names('rule: x\n---\nru|')).toEqual(['rule', 'runbook'])
    expect(names('except:\n  - when: a\n    re|')).toEqual(['reason'])
    expect(names('except:\n- ow|')).toEqual(['owner'])
    expect(names('incident: {gr|')).toEqual(['group_by'])
    expect(names('incident:\n  qu|')).toEqual(['quiet'])
    expect(names('tests:\n  - name: a\n    ev|')).toEqual(['events'])
    expect(names('tests:\n  - events:\n      - {at: 0s, arr|')).toEqual(['arrives'])
    expect(names('tests:\n  - name: a\n    events: [{at: 0s, pod|')).toEqual(['k8s.pod.name', 'k8s.pod.uid'])
    expect(names('tests:\n  - expect: [{key: {user.n|')).toEqual(['user.name', 'source.user.name'])
    expect(names('tests:\n  - expect:\n      - co|')).toEqual(['count'])
    expect(names(rule + 'weights: {fa|')).toEqual(['failed'])
  })
  it('has fields and functions in expressions, forms and patterns in conditions', () => {
    expect(names('match: exi|')).toEqual(['exists'])
    expect(names('match:\n  a: user.name == "x" and (pro|')).toEqual(['process.name', 'process.command_line', 'process.parent.name'])
    expect(names('match:\n  a: |\n    url|'.replace('|', '>'))).toEqual(['url.path'])
    expect(names('except:\n  - when: log.|')).toEqual(['log.level'])
    expect(names(rule + 'when: count(fa|')).toEqual(['failed'])
    expect(names(rule + 'when: failed and\n  sil|')).toEqual(['silent'])
    expect(names(rule + 'when: det|')).toBeNull()
    expect(names('by: [k8s.pod.n|')).toEqual(['k8s.pod.name'])
    expect(names('by:\n  - user.i|')).toEqual(['user.id'])
    expect(names('by: {who: source.u|')).toEqual(['source.user.name'])
    expect(names('incident:\n  group_by: [observ|')).toEqual(['observer.name'])
  })
  it('has the values that a key may have', () => {
    expect(names('severity: |', true)).toEqual(['informational', 'low', 'medium', 'high', 'critical'])
    expect(names('attack: [T1059, T111|')).toEqual(['T1110'])
    expect(names('shadow: tr|')).toEqual(['true'])
    expect(names('tests:\n  - expect: [{severity: crit|')).toEqual(['critical'])
  })
  it('has a word once, and the rule\'s own pattern before a field or a form of its name', () => {
    const own = 'match:\n  message: exists(message)\n  count: exists(tags)\n'
    expect(names(own + 'when: mess|')).toEqual(['message'])
    const all = names(own + 'when: |', true)!
    expect(all.slice(0, 2)).toEqual(['message', 'count'])
    expect(all).toEqual([...new Set(all)])
  })
  it('says nothing in texts, comments and names, or before there is a beginning', () => {
    for (const nothing of ['match: user.name == "us|', '# ru|', 'title: us|', 'match: a # us|', 'match:\n  us|', 'match: u|', 'ru|le: x', 'match: user.name|', 'description: 12:ru|']) expect(names(nothing), nothing).toBeNull()
    expect(names('match: u|', true)).toContain('user.name')
    expect(names('|', true)).toContain('rule')
  })
  it('writes what has to follow, once', () => {
    expect(taken('sev|')).toBe('severity: |')
    expect(taken('sev|: low')).toBe('severity|: low')
    expect(taken('match: exi|')).toBe('match: exists(|')
    expect(taken('match: exi|(user.id)')).toBe('match: exists|(user.id)')
    expect(taken('match: pod.u|')).toBe('match: k8s.pod.uid|')
    expect(taken(rule + 'when: sco|')).toBe(rule + 'when: score|')
  })
})
