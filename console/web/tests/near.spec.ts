// SPDX-License-Identifier: Apache-2.0
// Near misses: who is on their way, on the rule's page and beside why an incident fired.
import { expect, test } from './fixtures'
import { attack, decided, login, post } from './records'

test('keys on their way: how far, until when, and no change until somebody looks again', async ({ signedIn: page }) => {
  const records = login('tove', '203.0.113.55')
  await post('vector', records.slice(0, 5))
  await post('vector', login('ulf', '203.0.113.56').slice(0, 3))
  await decided()
  await page.goto('/rules/brute-force-then-login')
  const near = page.getByRole('region', { name: /^On their way/ })
  await expect(near.getByRole('status')).toHaveText(/^\d+ keys? ha(s|ve) 1 of 2 steps/)
  const tove = near.getByRole('row', { name: /tove/ })
  await expect(tove).toContainText('1 of 2')
  await expect(tove.getByRole('listitem')).toHaveText([/^done.*failed.*5 of 5$/, /^open worked/])
  await expect(tove).toContainText(/in [89]m/)
  await expect(near.getByRole('row', { name: /ulf/ }).getByRole('listitem').first()).toHaveText(/^open.*3 of 5$/)
  const fired = async () => Number(/(\d+) keys? fired/.exec(await near.innerText())![1])
  const before = await fired()

  await post('vector', records.slice(5))
  await decided()
  await expect(tove).toHaveCount(1)
  await near.getByRole('button', { name: 'Look again' }).press('Enter')
  await expect(tove).toHaveCount(0)
  expect(await fired()).toBe(before + 1)
})

test('an incident says who else is on their way, if asked', async ({ signedIn: page }) => {
  const made = await attack('vigga')
  await post('vector', login('wim', '203.0.113.57').slice(0, 5))
  await decided()
  await page.goto('/incidents/' + made.id)
  const why = page.getByRole('region', { name: 'Why it fired' })
  await expect(why.getByText(/1 of 2 steps/)).toHaveCount(0)
  await why.getByRole('button', { name: 'Who else is on their way?' }).press('Enter')
  await expect(why.getByRole('status')).toContainText(/\d+ keys? ha(s|ve) 1 of 2 steps/)
  await why.getByRole('link', { name: 'the keys' }).press('Enter')
  await expect(page.getByRole('region', { name: /^On their way/ }).getByRole('row', { name: /wim/ })).toBeVisible()
})
