// SPDX-License-Identifier: Apache-2.0
// Exceptions: which there are, and the draft of another one.
import AxeBuilder from '@axe-core/playwright'
import { readFileSync } from 'node:fs'
import { expect, test } from './fixtures'
import { api, attack, decided } from './records'

const rule = 'brute-force-then-login'

test('what is in force and what is over, what each left out, by keyboard alone', async ({ signedIn: page }) => {
  await page.keyboard.press('2')
  await page.getByRole('navigation', { name: 'About rules' }).getByRole('link', { name: 'Exceptions' }).press('Enter')
  await expect(page).toHaveURL('/exceptions')
  await expect(page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Rules' })).toHaveAttribute('aria-current', 'page')
  const list = page.getByRole('table', { name: 'Exceptions' })
  const old = list.getByRole('row').filter({ hasText: 'robot-old' })
  const backup = list.getByRole('row').filter({ hasText: 'robot-backup' })
  await expect(list.getByRole('row').nth(1)).toContainText('robot-old')
  await expect(old).toContainText(/^over/)
  await expect(old).toContainText('2020-01-31 23:59:59Z')
  await expect(backup).toContainText(/^in force.*the nightly backup *platform.*in \d+y *1 *by 2 together/)
  await page.getByRole('button', { name: 'Look for hits' }).press('Enter')
  await expect(backup.getByRole('cell').last()).toHaveText(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/)
  await expect(old.getByRole('cell').last()).toHaveText(/^none/)
  await page.keyboard.press('/')
  await page.keyboard.type('nightly')
  await expect(page).toHaveURL('/exceptions?q=nightly')
  await expect(list.getByRole('row')).toHaveCount(2)
  await page.getByRole('navigation', { name: 'State' }).getByRole('link', { name: 'Over' }).press('Enter')
  await expect(page.getByRole('heading', { name: 'No exception is like this' })).toBeVisible()
  await page.goto('/rules/sessions-of-robots')
  await page.getByRole('link', { name: 'draft one' }).press('Enter')
  await expect(page).toHaveURL('/exceptions/new?rule=sessions-of-robots')
})

test('from an incident to a draft by keyboard, checked, with what would go, and saved', async ({ signedIn: page }) => {
  const made = await attack('frida')
  await decided()
  await page.goto('/incidents/' + made.id)
  await expect(page.getByRole('link', { name: 'Draft an exception' })).toBeVisible()
  await page.keyboard.press('x')
  await expect(page).toHaveURL('/exceptions/new?incident=' + made.id)
  await expect(page.getByLabel('Of the rule')).toHaveValue(rule)
  await page.getByLabel('user.name == "frida"').press('Space')
  const when = page.getByLabel('Leaves out events with')
  await expect(when).toHaveValue('user.name == "frida"')
  const written = page.getByRole('region', { name: 'What is written' })
  await expect(written).toContainText('It lacks a reason, an owner.')
  const check = page.getByRole('region', { name: /^Check/ })
  await expect(check.getByRole('status')).toHaveText(/^No mistakes, (\d) of \1 tests pass$/)

  const backtest = page.getByRole('region', { name: 'Backtest' })
  await backtest.getByRole('button', { name: 'Last hour' }).press('Enter')
  await page.getByRole('heading', { name: 'Draft' }).click()
  await page.keyboard.press('e')
  await expect(when).toBeFocused()
  await page.keyboard.press('Control+Enter')
  await expect(backtest.getByText(/against the version in force/)).toContainText(/0 new, 1 gone, 0 changed/)
  await expect(backtest.getByRole('row', { name: /frida/ })).toContainText(/^gone/)
  await page.getByLabel('Reason').fill('her own tool: ticket 4711')
  await page.getByLabel('Owner').fill('red team')
  await page.getByRole('button', { name: '1 week' }).press('Enter')
  const until = await page.getByLabel('Until the end of (UTC)').inputValue()
  expect(Date.parse(until) - Date.now()).toBeGreaterThan(5 * 86_400_000)
  await expect(backtest.getByText('it has changed since')).toBeVisible() // until another day

  const download = page.waitForEvent('download')
  await written.getByRole('button', { name: 'Save as file' }).press('Enter')
  const file = await download
  expect(file.suggestedFilename()).toBe(rule + '.yml')
  const text = readFileSync(await file.path(), 'utf8')
  const source = (await api(`rules/${rule}/source`)).text as string
  const item = `except:\n  - when: user.name == "frida"\n    reason: 'her own tool: ticket 4711'\n    owner: red team\n    expires: ${until}\n`
  expect(text).toBe(source.replace('incident:\n', item + 'incident:\n').replace(/\n*$/, '\n'))
  expect((await api('rules/check', { method: 'POST', body: JSON.stringify({ rule: text }) })).findings).toEqual([])
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await written.getByRole('button', { name: 'Copy the exception' }).click()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(item.trimEnd())
  expect((await api('rules/' + rule)).exceptions).toEqual([])
  await written.getByRole('button', { name: 'Go on in the bench' }).press('Enter')
  await expect(page.getByLabel('Rule (YAML)')).toHaveValue(text)
})

test('a value that is pressed becomes a condition of its type', async ({ signedIn: page }) => {
  const made = (await api('incidents?rule=container-takeover&q=web-5d9c')).items[0]
  await page.goto('/incidents/' + made.id)
  const evidence = page.getByRole('table', { name: 'Evidence' })
  await evidence.getByRole('row').filter({ hasText: 'API' }).getByRole('button', { name: /^Details/ }).click()
  await evidence.getByRole('button', { name: '443', exact: true }).press('Enter')
  await page.getByRole('dialog', { name: 'destination.port: where else?' }).getByRole('link', { name: 'Draft an exception with it' }).press('Enter')
  await expect(page.getByLabel('Leaves out events with')).toHaveValue('destination.port == 443')
  await expect(page.getByLabel('destination.port == 443')).toBeChecked()
  await expect(page.getByLabel('Of the rule')).toHaveValue('container-takeover')
  await expect(page.getByRole('region', { name: /^Check/ }).getByRole('status')).toHaveText(/^No mistakes/)
})

test('a mistake leads to its condition; what cannot be drafted says why', async ({ signedIn: page }) => {
  await page.goto('/exceptions/new?rule=sessions-of-robots')
  const when = page.getByLabel('Leaves out events with')
  await when.fill('usr.name == "x"')
  const mistake = page.getByRole('region', { name: /^Check/ }).getByRole('button', { name: /did you mean "user.name"/ })
  await mistake.press('Enter')
  await expect(when).toBeFocused()
  const written = page.getByRole('region', { name: 'What is written' })
  await expect(written).toContainText('known.yml')
  await page.getByLabel('Until the end of (UTC)').fill('2021-01-01')
  await expect(page.getByText('That day is over')).toBeVisible()
  await page.getByLabel('Of the rule').selectOption({ label: (await api('rules')).items.find((r: any) => r.title === 'A robot is renamed').id })
  await expect(page.getByRole('heading', { name: 'This is a Sigma rule' })).toBeVisible()
  await page.goto('/exceptions/new?incident=' + '0'.repeat(32))
  await expect(page.getByRole('alert')).toContainText('there is none with this id')
})

test('who may not try rules out sees the list and no draft', async ({ page }) => {
  const { token } = await api('tokens', { method: 'POST', body: JSON.stringify({ name: 'reads-rules', roles: ['viewer'] }) })
  await page.goto('/#token=' + token)
  await expect(page.getByRole('banner').getByText('token:reads-rules')).toBeVisible()
  await page.goto('/exceptions')
  await expect(page.getByRole('table', { name: 'Exceptions' }).getByRole('row').nth(1)).toBeVisible()
  await expect(page.getByRole('link', { name: 'Draft one' })).toHaveCount(0)
  await page.goto('/exceptions/new')
  await expect(page.getByRole('heading', { name: 'You may not try rules out' })).toBeVisible()
})

test('a draft with what would go looks well in dark and light', async ({ signedIn: page }) => {
  const made = await attack('greta')
  await decided()
  await page.goto('/exceptions/new?' + new URLSearchParams({ incident: made.id, field: 'user.name', value: 'greta' }))
  await expect(page.getByLabel('user.name == "greta"')).toBeChecked()
  await page.getByLabel('Reason').fill('a drill')
  await page.getByLabel('Owner').fill('red team')
  await page.getByRole('button', { name: 'Run it' }).click()
  await expect(page.getByRole('table', { name: 'Predicted incidents' }).getByRole('row', { name: /greta/ })).toContainText(/^gone/)
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const width of [1280, 1920]) {
      await page.setViewportSize({ width, height: width === 1280 ? 800 : 1080 })
      await page.screenshot({ path: `shots/draft-tried-${scheme}-${width}.png` })
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0)
    }
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
  }
})
