// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest'
import { heat, navigator, tacticName, tacticsOf, tactics } from './attack'
import type { Incident, Rule } from './types'

const rule = (id: string, attack: string[], tactics: string[], tests = 1, shadow = false) => ({ id, attack, tactics, tests, shadow }) as unknown as Rule
const incident = (techniques: string[]) => ({ attack: { techniques, tactics: [] } }) as unknown as Incident
const at = (columns: ReturnType<typeof heat>, tactic: string) => columns.find((c) => c.tactic === tactic)!.cells

it('a technique that the table does not know has the tactics that all who name it have', () => {
  const m = tacticsOf([{ techniques: ['T9001', 'T9002'], tactics: ['impact', 'discovery'] }, { techniques: ['T9001'], tactics: ['impact'] }])
  expect(m.get('T9001')).toEqual(['impact'])
  expect(m.get('T9002')).toEqual(['impact', 'discovery'])
})
it('the table knows better than who names it, sub-techniques too', () => {
  expect(tacticsOf([{ techniques: ['T1110.003'], tactics: ['credential-access', 'impact'] }]).get('T1110.003')).toEqual(['credential-access'])
})
it('the map tells covered from tested, in shadow from in force, and seen from covered', () => {
  const m = heat([rule('a', ['T1110'], ['credential-access'], 2), rule('b', ['T1110'], ['credential-access'], 0), rule('c', ['T1046'], ['discovery'], 0), rule('d', ['T1003'], ['credential-access'], 1, true)],
    [incident(['T1110', 'T1110']), incident(['T9999'])])
  expect(at(m, 'credential-access')).toMatchObject([{ technique: 'T1003', rules: [], shadow: ['d'] }, { technique: 'T1110', rules: ['a', 'b'], tested: true, incidents: 1 }])
  expect(at(m, 'discovery')).toMatchObject([{ technique: 'T1046', tested: false }])
  expect(at(m, '')).toMatchObject([{ technique: 'T9999', incidents: 1 }])
  expect(m.map((c) => c.tactic)).toEqual([...tactics, ''])
})
it('the layer has each covered technique once', () => {
  const l = navigator(heat([rule('a', ['T1078'], ['persistence', 'initial-access'], 1), rule('b', ['T1046'], ['discovery'], 0)], []))
  expect(l.techniques.map((t) => [t.techniqueID, t.score])).toEqual(expect.arrayContaining([['T1078', 2], ['T1046', 1]]))
  expect(l.techniques).toHaveLength(2)
})
it('tactics have names', () => {
  expect(tacticName('command-and-control')).toBe('Command and control')
  expect(tacticName('')).toBe('')
})
