// SPDX-License-Identifier: Apache-2.0
// The rule bench: written, checked, tried out, saved.
import AxeBuilder from '@axe-core/playwright'
import { readFileSync } from 'node:fs'
import { expect, test } from './fixtures'
import { api, attack, decided } from './records'

const rule = 'brute-force-then-login'

test('a change of a rule is checked, compared with what is in force, and saved', async ({ signedIn: page }) => {
  const made = await attack('benno')
  await decided()
  await page.goto('/rules/' + rule)
  await page.getByRole('link', { name: 'Try a change' }).click()
  await expect(page).toHaveURL('/bench?rule=' + rule)
  const editor = page.getByLabel('Rule (YAML)')
  await expect(editor).toHaveValue(new RegExp('rule: ' + rule))
  const text = await editor.inputValue()
  const check = page.getByRole('region', { name: /^Check/ })
  await expect(check.getByRole('status')).toHaveText(/^No mistakes, (\d) of \1 tests pass$/)

  // As it is in force it makes what there is.
  const backtest = page.getByRole('region', { name: 'Backtest' })
  await backtest.getByRole('button', { name: 'Last hour' }).click()
  await backtest.getByRole('button', { name: 'Run it' }).click()
  await expect(backtest.getByText(/against the version in force/)).toContainText(/0 new, 0 gone, 0 changed, [1-9]\d* the same/)
  const predicted = backtest.getByRole('table', { name: 'Predicted incidents' })
  await predicted.getByRole('row', { name: /benno/ }).getByRole('link', { name: /^The incident that there is/ }).click()
  await expect(page).toHaveURL('/incidents/' + made.id)

  // What is written outlives the page; other severity, other incident.
  await page.goto('/bench?rule=' + rule)
  await expect(editor).toHaveValue(text)
  await editor.fill(text.replace(/^severity: .*/m, 'severity: low'))
  await page.reload()
  await expect(editor).toHaveValue(/severity: low/)
  await backtest.getByRole('button', { name: 'Last hour' }).click()
  await backtest.getByRole('button', { name: 'Run it' }).click()
  await expect(predicted.getByRole('row', { name: /benno/ })).toContainText(/^changed *low/)
  await expect(predicted.getByRole('row', { name: /benno/ })).toContainText('changed: severity')
  await editor.press('End')
  await editor.pressSequentially(' ')
  await expect(backtest.getByText('it has changed since')).toBeVisible()

  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Save as file' }).click()
  const file = await download
  expect(file.suggestedFilename()).toBe(rule + '.yml')
  expect(readFileSync(await file.path(), 'utf8')).toBe(await editor.inputValue())
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.getByRole('button', { name: 'Copy the rule' }).click()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(await editor.inputValue())

  await page.getByRole('button', { name: 'Start over' }).click()
  await expect(editor).toHaveValue(text)
  await page.getByRole('button', { name: 'Take back what was thrown away' }).click()
  await expect(editor).toHaveValue(/severity: low/)
  expect((await api('rules/' + rule)).severity).toBe('high')
})

test('a new rule that is narrower or nothing: what is gone, what is new', async ({ signedIn: page }) => {
  await attack('carola')
  await decided()
  await page.goto('/bench?rule=' + rule)
  const editor = page.getByLabel('Rule (YAML)')
  await expect(editor).toHaveValue(/rule: /)
  const backtest = page.getByRole('region', { name: 'Backtest' })
  await backtest.getByRole('button', { name: 'Last hour' }).click()
  await editor.fill(`rule: ${rule}\ntitle: Nobody\nseverity: low\nmatch: user.name == "nobody-is-called-so"\nby: [user.name]\n`)
  await editor.press('Control+Enter')
  await expect(backtest.getByText(/against the version in force/)).toContainText(/^0 incidents: .*0 new, [1-9]\d* gone/)
  await expect(backtest.getByRole('row', { name: /carola/ })).toContainText(/^gone/)
  await page.getByLabel('Begin with').selectOption('a new rule')
  await expect(editor).toHaveValue(/^# A rule says/)
  await expect(page.getByRole('region', { name: /^Check/ }).getByRole('status')).toHaveText('No mistakes, 2 of 2 tests pass')
  await editor.press('Control+Enter')
  await expect(backtest.getByText('no rule with this id is in force')).toBeVisible()
  await expect(backtest.getByRole('row', { name: /carola/ })).toContainText('none')
})

test('a mistake is told at its line, and leads there', async ({ signedIn: page }) => {
  await page.goto('/bench')
  const editor = page.getByLabel('Rule (YAML)')
  const check = page.getByRole('region', { name: /^Check/ })
  const finds = async (text: string, ...said: RegExp[]) => {
    await editor.fill(text)
    for (const what of said) await expect(check.getByRole('button', { name: what }).first()).toBeVisible()
  }
  const head = 'rule: x\ntitle: X\nseverity: low\n'
  await finds(head + 'match: exists(usr.name)\n', /^mistake line 4:15 .*did you mean "user.name"\?/)
  await check.getByRole('button', { name: /line 4:15/ }).click()
  await expect(editor).toBeFocused()
  expect(await editor.evaluate((e: HTMLTextAreaElement) => e.value.slice(e.selectionStart))).toBe('usr.name)\n')
  await finds(head + 'match: [\n', /^mistake line 4/)
  await finds('apiVersion: v1\nkind: Pod\n', /^mistake line 1:1 unknown key "apiVersion"/)
  await finds(head + 'match: exists(user.name)\n---\n' + head + 'match: exists(user.name)\n', /^mistake line 6:?\d* .*there is a rule "x" already/)
  await finds('', /^mistake line 1 there is no rule in it/)
  await finds(head + 'match: exists(user.name)\ntests:\n  - {name: never, events: [{at: 0s, user.name: ana}], expect: []}\n', /^failed line 6 never expected 0 detections, found/)
  await expect(check.getByRole('status')).toHaveText('No mistakes, 0 of 1 test pass')
  await editor.fill(head + '#' + 'x'.repeat(1 << 20))
  await expect(check.getByRole('alert')).toContainText('at most 262,144 characters, this one has 1,048,')
  await expect(page.getByRole('button', { name: 'Run it' })).toBeDisabled()
  await editor.fill(head + 'match: exists(usr.name)\n')
  await page.getByRole('button', { name: 'Run it' }).click()
  await expect(page.getByRole('region', { name: 'Backtest' }).getByRole('alert')).toContainText('the rule is wrong')
  await page.goto('/bench?rule=there-is-none')
  await expect(page.getByRole('alert')).toContainText('there is no rule with this id')
})

test('a backtest that waits is cancelled, by the button and by leaving', async ({ signedIn: page }) => {
  // What is answered of a job is held at its first state: a real one is over before it can be looked at.
  let asked = ''
  const ended: string[] = []
  page.on('request', (r) => { if (r.method() === 'DELETE') ended.push(r.url()) })
  await page.route('**/api/v1/backtests/*', async (route) => {
    if (route.request().method() !== 'GET' || ended.length) return route.continue()
    asked = route.request().url()
    const answer = await route.fetch()
    const job = await answer.json()
    await route.fulfill({ response: answer, json: { ...job, state: 'running', result: undefined } })
  })
  await page.goto('/bench')
  const backtest = page.getByRole('region', { name: 'Backtest' })
  await backtest.getByRole('button', { name: 'Run it' }).click()
  await expect(backtest.getByRole('progressbar', { name: 'Messages of the log that have been read' })).toBeVisible()
  await backtest.getByRole('button', { name: 'Cancel' }).click()
  await expect(backtest.getByRole('button', { name: 'Run it' })).toBeVisible()
  expect(ended).toEqual([asked])
  ended.length = 0
  await backtest.getByRole('button', { name: 'Run it' }).click()
  await expect(backtest.getByRole('button', { name: 'Cancel' })).toBeVisible()
  await expect(backtest.getByRole('progressbar')).toBeVisible()
  const gone = page.waitForRequest((r) => r.method() === 'DELETE')
  await page.getByRole('link', { name: 'Rules', exact: true }).click()
  expect((await gone).url()).toBe(asked)
})

test('by keyboard alone: in, indented, checked, out, run', async ({ signedIn: page }) => {
  await page.goto('/bench')
  const editor = page.getByLabel('Rule (YAML)')
  await expect(editor).toHaveValue(/rule: many-failed-logins/)
  await page.keyboard.press('e')
  await expect(editor).toBeFocused()
  await page.keyboard.press('Control+a')
  await page.keyboard.type('rule: typed\ntitle: Typed\nseverity: low\nmatch:\n')
  await page.keyboard.press('Tab')
  await page.keyboard.type('a: exists(user.name)\n')
  await page.keyboard.press('Shift+Tab')
  await page.keyboard.type('by: [user.name]')
  await expect(editor).toHaveValue('rule: typed\ntitle: Typed\nseverity: low\nmatch:\n    a: exists(user.name)\n  by: [user.name]')
  await page.keyboard.press('Shift+Tab')
  await expect(editor).toHaveValue(/\nby: \[user.name\]$/)
  await page.keyboard.press('Control+z')
  await expect(editor).toHaveValue(/\n {2}by: \[user.name\]$/)
  await page.keyboard.press('Control+Shift+z')
  await expect(editor).toHaveValue(/\nby: \[user.name\]$/)
  const check = page.getByRole('region', { name: /^Check/ })
  await expect(check.getByRole('status')).toHaveText('No mistakes, 1 warning, no tests')
  await page.keyboard.press('Escape')
  await expect(page.getByText('leaves the editor now')).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(check.getByRole('button').first()).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(editor).toBeFocused()
  await page.keyboard.press('Control+Enter')
  await expect(page.getByText('no rule with this id is in force')).toBeVisible()
})

test('what is found looks well in dark and light', async ({ signedIn: page }) => {
  await attack('dora')
  await decided()
  await page.goto('/bench?rule=' + rule)
  const editor = page.getByLabel('Rule (YAML)')
  await expect(editor).toHaveValue(/rule: /)
  await editor.fill((await editor.inputValue()).replace(/^severity: .*/m, 'severity: low').replace('user.name]', 'user.name, host.name]'))
  await page.keyboard.press('Control+Enter')
  await expect(page.getByRole('table', { name: 'Predicted incidents' })).toBeVisible()
  await editor.fill((await editor.inputValue()).replace('severity: low', 'severity: lwo'))
  await expect(page.getByText(/^\d mistake/)).toBeVisible()
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const width of [1280, 1920]) {
      await page.setViewportSize({ width, height: width === 1280 ? 800 : 1080 })
      await page.screenshot({ path: `shots/bench-found-${scheme}-${width}.png` })
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0)
    }
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
  }
})
