// SPDX-License-Identifier: Apache-2.0
// The step debugger of the bench: tests and events moment by moment, saved as tests, and a rule in shadow.
import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'
import { expect, test } from './fixtures'
import { login, post } from './records'

const waits = `rule: waits
title: Waits
severity: low
match:
  ask: event.action == "ask"
  answer: event.action == "answer"
when: ask and not answer
by: [user.name]
within: 1m
tests:
  - name: no answer
    events:
      - {at: 0s, event.action: ask, user.name: ana}
      - {at: 20s, event.action: ask, user.name: ben}
      - {at: 30s, event.action: answer, user.name: ben}
    expect: [{key: {user.name: ana}, count: 1}]
`
const steps = (page: Page) => page.getByRole('region', { name: /^Step through/ })
const editor = (page: Page) => page.getByLabel('Rule (YAML)')
const selected = (page: Page) => editor(page).evaluate((e: HTMLTextAreaElement) => e.selectionEnd - e.selectionStart)
const open = async (page: Page, text: string) => {
  await page.goto('/bench')
  await expect(editor(page)).toHaveValue(/rule: many-failed-logins/)
  await editor(page).fill(text)
}

test('a test is stepped through by keyboard: what came, what waits, what is decided by time alone', async ({ signedIn: page }) => {
  await open(page, waits)
  const step = page.getByRole('button', { name: 'Step through no answer' })
  await step.focus()
  await page.keyboard.press('Enter')
  const clock = steps(page).getByRole('slider', { name: 'Clock' })
  const detection = steps(page).getByRole('table', { name: 'Detections' }).getByRole('row').last()
  await expect(clock).toHaveAttribute('aria-valuetext', '0s: Event 1 matches ask for user.name = ana')
  await expect(detection).toHaveText(/^not yet *user.name = ana/)
  await expect(steps(page).getByText(/^decided at /)).toBeVisible()
  const place = await detection.boundingBox()
  await page.keyboard.press(']')
  await expect(steps(page).getByText('Event 2 matches ask for user.name = ben')).toBeVisible()
  await clock.focus()
  await page.keyboard.press('ArrowRight')
  await expect(steps(page).getByText('Event 3 matches answer for user.name = ben')).toBeVisible()
  await expect(steps(page).getByRole('table', { name: 'Steps of the condition' })).toContainText('contradicted by event 3')
  await expect(steps(page).getByRole('img')).toHaveAttribute('aria-label', /3 of 3 events came/)
  await page.keyboard.press('ArrowRight')
  await expect(steps(page).getByText('Time passes.')).toBeVisible()
  await expect(detection).toHaveText(/^open *user.name = ana *1 event, 0s to 0s stands, and can change/)
  await page.keyboard.press('End')
  await expect(detection).toHaveText(/^settled/)
  await expect(steps(page).getByRole('button', { name: 'The next moment' })).toBeDisabled()
  expect(await detection.boundingBox()).toEqual(place)
  await steps(page).getByLabel('Key').selectOption('user.name = ben')
  await expect(steps(page).getByText('its window is closed')).toBeVisible()
  await clock.focus()
  await page.keyboard.press('Home')
  await expect(clock).toHaveAttribute('aria-valuetext', /^0s/)
  await editor(page).press('End')
  await editor(page).pressSequentially('#')
  await expect(steps(page).getByText('it has changed since')).toBeVisible()
})

test('events are pasted, stepped through and saved as a test, which passes and can be undone', async ({ signedIn: page }) => {
  await open(page, waits)
  await steps(page).getByText('Try events').click()
  const paste = steps(page).getByLabel('Events, one a line')
  await paste.fill('{"at":"0s","event.action":"ask","usr.name":"eva"}')
  await steps(page).getByRole('button', { name: 'Step through them' }).click()
  await expect(steps(page).getByRole('alert')).toContainText('event 1: unknown field "usr.name"')
  await paste.fill('{"at":"0s"\n')
  await steps(page).getByRole('button', { name: 'Step through them' }).click()
  await expect(steps(page).getByText('Line 1 is no JSON')).toBeVisible()
  await paste.fill('{"at":"0s","event.action":"ask","user.name":"eva: #1"}\n{"at":"5s","arrives":"10s","event.action":"ask"}\n')
  await steps(page).getByRole('button', { name: 'Step through them' }).click()
  await expect(steps(page).getByText('Event 1 matches ask for user.name = eva: #1')).toBeVisible()
  await page.getByRole('heading', { name: 'Bench' }).click()
  await page.keyboard.press(']')
  await expect(steps(page).getByText('Event 2 has no user.name, and so no key')).toBeVisible()
  await steps(page).getByRole('textbox', { name: 'Name' }).fill('eva waits')
  await steps(page).getByRole('button', { name: 'Save as test' }).click()
  await expect(editor(page)).toHaveValue(/- name: "eva waits"\n {4}events:\n {6}- \{at: 0s, event.action: ask, user.name: "eva: #1"\}\n.*\n {4}expect: \[\{key: \{user.name: "eva: #1"\}, count: 1\}\]\n$/)
  expect(await selected(page)).toBe(0)
  const check = page.getByRole('region', { name: /^Check/ })
  await expect(check.getByRole('status')).toHaveText('No mistakes, 2 of 2 tests pass')
  await expect(check.getByRole('button', { name: /^passed.*eva waits/ })).toBeVisible()
  await page.keyboard.press('Control+z')
  await expect(editor(page)).toHaveValue(waits)
})

test('what was not followed to its end is no test', async ({ signedIn: page }) => {
  await open(page, waits)
  await steps(page).getByText('Try events').click()
  await steps(page).getByLabel('Events, one a line').fill(Array.from({ length: 200 }, (_, i) => JSON.stringify({ at: i * 300 + 's', 'event.action': 'ask', 'user.name': 'u' + i })).join('\n'))
  await steps(page).getByRole('button', { name: 'Step through them' }).click()
  await expect(steps(page).getByText(/^(As many moments as are told|There was no time)/)).toBeVisible({ timeout: 30_000 })
  await expect(steps(page).getByRole('button', { name: 'Save as test' })).toBeDisabled()
  await expect(steps(page).getByText('it was not followed to its end')).toBeVisible()
})

test('a trace that is asked for is called off by leaving', async ({ signedIn: page }) => {
  await page.route('**/rules/trace', () => {}) // it is never answered
  await open(page, waits)
  const asked = page.waitForRequest('**/rules/trace')
  await page.getByRole('button', { name: 'Step through no answer' }).click()
  await asked
  const ended = page.waitForEvent('requestfailed', (r) => r.url().endsWith('/rules/trace'))
  await page.getByRole('link', { name: 'Rules', exact: true }).click()
  expect((await ended).failure()?.errorText).toBe('net::ERR_ABORTED')
})

test('who signs out leaves no events and no rules in the tab; a full tab is told', async ({ signedIn: page }) => {
  await open(page, waits)
  await page.goto('/tail')
  await expect(page.getByText(/^connected/)).toBeVisible()
  await post('vector', login('ulla', '10.0.0.10'))
  await page.getByLabel('Filter').fill('user.name:ulla')
  await page.getByRole('button', { name: /^Fields of event/ }).first().click()
  const pick = page.getByRole('button', { name: 'To the bench' })
  await pick.click()
  await expect(page.getByText('1 picked for the bench')).toBeVisible()
  await page.evaluate(() => {
    for (let size = 1 << 20; size; size >>= 1) try { for (let i = 0; ; i++) sessionStorage.setItem(`full-${size}-${i}`, 'x'.repeat(size)) } catch { /* the next is smaller */ }
  })
  await pick.click()
  await expect(page.getByRole('status', { name: 'Messages' })).toContainText('has no room for it')
  await expect(page.getByText('1 picked for the bench')).toBeVisible()
  const kept = () => page.evaluate(() => Object.keys(sessionStorage).filter((k) => !k.startsWith('full-')).sort())
  expect(await kept()).toEqual(['bench-events', 'bench:', 'token'])
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible()
  expect(await kept()).toEqual([])
})

test('records of a source and events of the live tail are stepped through', async ({ signedIn: page }) => {
  await page.goto('/tail')
  await expect(page.getByText(/^connected/)).toBeVisible()
  await post('vector', login('tove', '10.0.0.9'))
  await page.getByLabel('Filter').fill('user.name:tove')
  await page.getByRole('button', { name: /^Fields of event/ }).first().click()
  await page.getByRole('button', { name: 'To the bench' }).click()
  await page.getByRole('link', { name: 'bench', exact: true }).click()
  await expect(editor(page)).toHaveValue(/rule: many-failed-logins/)
  await steps(page).getByText('1 picked in the live tail').click()
  await steps(page).getByRole('button', { name: 'Step through the 1 picked' }).click()
  await expect(steps(page).getByText(/^Event 1 matches/)).toBeVisible()
  await steps(page).getByLabel('They are').selectOption('records of Vector')
  await steps(page).getByLabel('Events, one a line').fill(JSON.stringify(login('tove', '10.0.0.9')))
  await steps(page).getByRole('button', { name: 'Step through them' }).click()
  await expect(steps(page).getByText(/^Event 1 matches/)).toBeVisible()
  await steps(page).getByRole('button', { name: 'Forget them' }).click()
  await expect(steps(page).getByRole('link', { name: 'live tail' })).toBeVisible()
})

test('a rule goes into shadow and out of it, where YAML has it', async ({ signedIn: page }) => {
  await open(page, waits)
  const button = page.getByRole('button', { name: 'In shadow' })
  await button.click()
  await expect(editor(page)).toHaveValue(waits.replace('severity: low\n', 'severity: low\nshadow: true\n'))
  await expect(button).toHaveAttribute('aria-pressed', 'true')
  await expect(button).toBeFocused()
  expect(await selected(page)).toBe(0)
  await expect(page.getByText('nobody is told')).toBeVisible()
  await expect(page.getByRole('region', { name: /^Check/ }).getByRole('status')).toHaveText('No mistakes, 1 of 1 test pass')
  await button.click()
  await expect(editor(page)).toHaveValue(waits)
  await editor(page).press('Control+z')
  await expect(editor(page)).toHaveValue(/shadow: true/)
  await editor(page).fill('title: Sigma\n')
  await expect(button).toBeDisabled()
})

test('a trace looks well in dark and light', async ({ signedIn: page }) => {
  await open(page, waits)
  await page.getByRole('button', { name: 'Step through no answer' }).click()
  await expect(steps(page).getByRole('slider')).toBeVisible()
  for (let i = 0; i < 3; i++) await steps(page).getByRole('button', { name: 'The next moment' }).click()
  for (const scheme of ['dark', 'light'] as const) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const width of [1280, 1920]) {
      await page.setViewportSize({ width, height: width === 1280 ? 800 : 1080 })
      await page.screenshot({ path: `shots/bench-steps-${scheme}-${width}.png` })
      expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBeLessThanOrEqual(0)
    }
    const found = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']).analyze()
    expect(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
  }
})
