// SPDX-License-Identifier: Apache-2.0
import { test as base, expect, type Page } from '@playwright/test'

// Whatever the browser complains of fails the test: a blocked script, a failed request, an error nobody caught.
export const test = base.extend<{ signedIn: Page }>({
  page: async ({ page }, use) => {
    const complaints: string[] = []
    page.on('console', (m) => { if (m.type() === 'error' && !/status of (401|404|409|412|422|429)/.test(m.text())) complaints.push(m.text()) })
    page.on('pageerror', (e) => complaints.push(String(e)))
    await use(page)
    expect(complaints).toEqual([])
  },
  signedIn: async ({ page }, use) => {
    await page.goto('/#token=' + process.env.TOCSIN_TOKEN)
    await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
    await use(page)
  },
})

export { expect }

// incident is the row of the list whose title has these words.
export const row = (page: Page, words: string | RegExp) => page.getByRole('table', { name: 'Incidents' }).getByRole('row').filter({ hasText: words })
