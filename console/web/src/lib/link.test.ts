// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest'
import { nextOf } from './link'

test('the next page is what the server says it is', () => {
  expect(nextOf('</api/v1/audit?cursor=ab&since=2026-11-01T00%3A00%3A00Z>; rel="next"')).toBe('audit?cursor=ab&since=2026-11-01T00%3A00%3A00Z')
  expect(nextOf(null)).toBe('')
  expect(nextOf('</api/v1/audit>; rel="prev"')).toBe('')
})
