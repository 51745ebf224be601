// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { auditPlaced } from './audit'

test('only what the log knows and is given is asked for', () => {
  expect(auditPlaced(new URLSearchParams('actor=token%3Aci&since=&page=2'))).toBe('?actor=token%3Aci')
  expect(auditPlaced(new URLSearchParams('actor='))).toBe('')
})
