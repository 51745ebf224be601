// SPDX-License-Identifier: Apache-2.0
// A silence: what it would match is said before it is made, and what it holds back after.
import AxeBuilder from '@axe-core/playwright'
import { expect, test } from './fixtures'
import { attack } from './records'

test('a silence is made by keyboard, says what it matches, is listed and ended', async ({ signedIn: page }) => {
  const made = await attack('sif')
  await page.goto('/incidents/' + made.id)
  await expect(page.getByRole('heading', { name: made.title })).toBeVisible()
  await page.keyboard.press('s')
  const dialog = page.getByRole('dialog', { name: 'Silence its alerts' })
  await expect(dialog.getByRole('status')).toContainText(/^It matches [1-9]\d* of the [1-9]\d* open incidents/)
  await dialog.getByRole('checkbox', { name: /^user="sif"/ }).check()
  await expect(dialog.getByRole('status')).toHaveText(/^It matches 1 of the [1-9]\d* open incidents\.$/)
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.screenshot({ path: `shots/silence-${scheme}-1280.png` })
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
  }
  await dialog.getByLabel('Why').fill('her exercise')
  await dialog.getByLabel('Why').press('Enter')
  await expect(dialog).toBeHidden()
  await page.goto('/silences')
  const row = page.getByRole('table', { name: 'Silences' }).getByRole('row', { name: /her exercise/ })
  await expect(row).toContainText(/in force.*user="sif"/)
  await expect(row.getByRole('cell', { name: /^\d+$/ })).toHaveText('0')
  await row.getByRole('button', { name: /^End the silence/ }).click()
  await expect(page.getByRole('row', { name: /her exercise/ })).toHaveCount(0)
})
