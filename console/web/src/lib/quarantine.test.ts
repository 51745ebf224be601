// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { bytesOf, hexOf, nothing, plus, quarantinePlaced, told, visible } from './quarantine'

test('only what the filter knows and is given is asked for', () => {
  expect(quarantinePlaced(new URLSearchParams('reason=no_object&source=&cursor=1.0'))).toBe('/quarantine?reason=no_object')
  expect(quarantinePlaced(new URLSearchParams())).toBe('/quarantine')
})

test('what would not be seen is, line breaks and tabs stay', () => {
  expect(visible('a\x00b\x1b[2J\r\n\tc\x7f')).toBe('a<U+0000>b<U+001B>[2J<U+000D>\n\tc<U+007F>')
  expect(visible('safe\u202etxt.exe\ufeffü')).toBe('safe<U+202E>txt.exe<U+FEFF>ü')
})

test('bytes are shown sixteen a line', () => {
  const line = '00000000  7b 22 61 22 3a ff 00 7d                           |{"a":..}|'
  expect(hexOf(bytesOf(btoa('{"a":\xff\x00}')))).toBe(line)
  const lines = hexOf(new Uint8Array(17).fill(0x41)).split('\n')
  expect(lines[0]).toBe('00000000  ' + '41 '.repeat(7) + '41  ' + '41 '.repeat(7) + '41  |' + 'A'.repeat(16) + '|')
  expect(lines[1]).toMatch(/^00000010 {2}41 {48}\|A\|$/)
  expect(hexOf(new Uint8Array())).toBe('')
})

test('what became of each thousand is added up', () => {
  const sum = plus(plus(nothing, { released: 1, events: 3, refused: { too_deep: 1, no_object: 2 } }), { released: 0, events: 0, refused: { no_object: 5 } })
  expect(told(sum)).toBe('1 entry is taken in as 3 events; what cannot be read now either: 7 no_object, 1 too_deep')
  expect(told(nothing)).toBe('0 entries are taken in as 0 events')
})
