// SPDX-License-Identifier: Apache-2.0
// The pages around triage.
import AxeBuilder from '@axe-core/playwright'
import { readFileSync } from 'node:fs'
import { expect, test } from './fixtures'
import { api, attack, decided, login, post } from './records'
import { demo } from './server'

test('rules are found, ordered and looked into', async ({ signedIn: page }) => {
  await page.keyboard.press('2')
  const rules = page.getByRole('table', { name: 'Rules' })
  await expect(rules.getByRole('row').nth(1)).toContainText('critical')
  await page.keyboard.press('/')
  await page.keyboard.type('T1110 brute')
  await expect(rules.getByRole('row')).toHaveCount(2)
  await expect(page).toHaveURL('/rules?q=T1110+brute')
  await rules.getByRole('link', { name: 'Many failed logins, then one that worked' }).click()
  await expect(page.getByRole('region', { name: 'Patterns' })).toContainText('event.outcome == "failure"')
  const fired = page.getByRole('region', { name: 'Numbers' }).getByRole('row', { name: /^incidents/ }).getByRole('cell').first()
  expect(Number(await fired.innerText())).toBeGreaterThan(3)
  await expect(page.getByRole('region', { name: 'Its incidents' }).getByRole('link', { name: /^Password of ana/ })).toBeVisible()
  await page.goto('/rules')
  await page.getByRole('button', { name: 'Read the files again' }).click()
  await expect(page.getByRole('status', { name: 'Messages' })).toContainText('what is in force')
})

test('a rule that is not in force says so', async ({ signedIn: page }) => {
  await page.goto('/rules/there-is-none')
  await expect(page.getByRole('heading', { name: 'No rule in force has this id' })).toBeVisible()
})

test('the map of ATT&CK has coverage and activity, and is a layer for the Navigator', async ({ signedIn: page }) => {
  await page.goto('/attack')
  const column = page.getByRole('region', { name: 'Credential access' })
  const cell = column.getByRole('button', { name: /^T1110: \d+ rules, \d+ incidents/ })
  await expect(cell).toBeVisible()
  await cell.click()
  const technique = page.getByRole('region', { name: 'Technique T1110' })
  await expect(technique.getByRole('link', { name: 'brute-force-then-login' })).toBeVisible()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Navigator layer' }).click()
  const layer = JSON.parse(readFileSync(await (await download).path(), 'utf8'))
  expect(layer.domain).toBe('enterprise-attack')
  expect(layer.techniques.find((t: any) => t.techniqueID === 'T1110')).toMatchObject({ score: 2 })
  await technique.getByRole('link', { name: /incidents$/ }).click()
  await expect(page).toHaveURL(/technique=T1110/)
})

test('the tail runs, is filtered, and stops while it is read', async ({ signedIn: page }) => {
  await page.goto('/tail')
  await expect(page.getByText('connected;')).toBeVisible()
  await post('vector', login('nia', '203.0.113.90'))
  const events = page.getByRole('table', { name: 'Events' })
  await expect(events.getByRole('cell', { name: 'login success for nia, attempt 6' })).toBeVisible()
  await page.getByLabel('Filter').fill('event.outcome:success nia')
  await expect(events.getByRole('row')).toHaveCount(2)
  await page.getByLabel('Filter').fill('')
  await page.getByLabel('Filter').blur()
  await page.keyboard.press('p')
  await expect(page.getByRole('button', { name: /^Go on/ })).toBeVisible()
  const before = await events.getByRole('row').count()
  await post('vector', login('odo', '203.0.113.91'))
  await expect(page.getByRole('button', { name: 'Go on (6 wait)' })).toBeVisible()
  expect(await events.getByRole('row').count()).toBe(before)
  await page.keyboard.press('p')
  await expect(events.getByRole('cell', { name: 'login success for odo, attempt 6' })).toBeVisible()
  await events.getByRole('button', { name: /^Fields of event/ }).first().click()
  await expect(events).toContainText('event.outcome')
  // What was typed is of both.
  await page.getByLabel('Filter').fill('user.name:odo & x')
  await page.getByRole('button', { name: 'Detections' }).click()
  await expect(page).toHaveURL(/of=detections/)
  await expect(page.getByLabel('Filter')).toHaveValue('user.name:odo & x')
  await page.getByRole('button', { name: 'Events' }).click()
  await expect(page).toHaveURL('/tail?q=user.name%3Aodo+%26+x')
  await expect(page.getByLabel('Filter')).toHaveValue('user.name:odo & x')
})

test('the tail of detections leads to their incidents; what is missing is said, and one of many is shown', async ({ signedIn: page }) => {
  await page.goto('/tail')
  await page.getByRole('group', { name: 'Tail of' }).getByRole('button', { name: 'Detections' }).click()
  await expect(page).toHaveURL('/tail?of=detections')
  await expect(page.getByText('connected;')).toBeVisible()
  const made = await attack('pia')
  const detections = page.getByRole('table', { name: 'Detections' })
  await expect(detections.getByRole('link', { name: /user\.name = pia/ }).first()).toHaveAttribute('href', '/incidents/' + made.id)
  await expect(detections.getByRole('row', { name: /pia/ }).first()).toContainText('brute-force-then-login')
  await page.screenshot({ path: 'shots/tail-detections.png' })
  // Where something is missing a line says so.
  await page.route('**/events/stream*', (r) => r.continue({ headers: { ...r.request().headers(), 'last-event-id': '9223372036854775807.0' } }))
  await page.getByRole('group', { name: 'Tail of' }).getByRole('button', { name: 'Events' }).click()
  await expect(page.getByRole('table', { name: 'Events' })).toContainText('The log was made anew')
  await page.getByLabel('Show').selectOption('one in 10')
  await post('vector', [...login('quin', '203.0.113.92'), ...login('rob', '203.0.113.93')])
  await expect(page.getByText(/1[23] seen, the last 1000 of those shown are kept/)).toBeVisible()
  await expect(page.getByRole('table', { name: 'Events' }).getByRole('button', { name: /^Fields of event/ })).toHaveCount(1)
  await page.screenshot({ path: 'shots/tail-sampled.png' })
})

test('the tail of alerts says what became of each, to whom, and waits while it is paused', async ({ signedIn: page }) => {
  const dead = (await api('alerts?state=dead&limit=1')).items[0]
  const again = () => api(`alerts/${dead.id}/retry`, { method: 'POST' }) // its receiver refuses for good
  await page.goto('/tail')
  await page.getByRole('group', { name: 'Tail of' }).getByRole('button', { name: 'Alerts' }).click()
  await expect(page).toHaveURL('/tail?of=alerts')
  await expect(page.getByRole('heading', { name: 'Waiting for alerts' })).toBeVisible()
  await expect(page.getByText('connected;')).toBeVisible()
  await again()
  const alerts = page.getByRole('table', { name: 'Alerts' })
  const told = alerts.getByRole('row').filter({ hasText: 'ops' })
  await expect(told).toHaveCount(1)
  await expect(told).toContainText(/given up.*opened: .*410/)
  await expect(told.getByRole('link')).toHaveAttribute('href', '/incidents/' + dead.incident)
  await page.screenshot({ path: 'shots/tail-alerts.png' })
  await page.getByLabel('Outcome').selectOption('sent')
  await expect(page).toHaveURL('/tail?of=alerts&outcome=sent')
  await expect(page.getByRole('heading', { name: 'None that is kept is like this' })).toBeVisible()
  await page.getByLabel('Outcome').selectOption('given up')
  await page.getByLabel('To').selectOption('ops')
  await expect(page).toHaveURL('/tail?of=alerts&receiver=ops&outcome=dead')
  await page.getByLabel('Filter').blur()
  await page.keyboard.press('p')
  await again()
  await expect(page.getByRole('button', { name: 'Go on (1 wait)' })).toBeVisible()
  await expect(told).toHaveCount(1)
  await page.keyboard.press('p')
  await expect(told).toHaveCount(2)
  await told.first().getByRole('button', { name: /^Fields of alert/ }).click()
  await expect(alerts).toContainText(dead.key)
  // Where something is missing a line says so, whatever is chosen.
  await page.route('**/alerts/stream*', (r) => r.continue({ headers: { ...r.request().headers(), 'last-event-id': '9223372036854775806.' } }))
  await page.reload()
  await expect(alerts).toContainText('The log was made anew')
  await expect(page.getByLabel('Outcome')).toHaveValue('dead')
})

test('sources, status and counts lead on', async ({ signedIn: page }) => {
  await page.goto('/sources')
  await expect(page.getByRole('table', { name: 'Sources' }).getByRole('row', { name: /^falco/ }).first()).toContainText('sends')
  await page.goto('/status')
  await expect(page.getByRole('row', { name: /Partitions owned/ })).toContainText('16 of 16')
  await page.getByRole('region', { name: 'Incidents' }).getByRole('row', { name: /^new/ }).getByRole('link').first().click()
  await expect(page).toHaveURL('/?status=new&severity=critical')
})

test('the errors of a source lead to quarantine only if it is there', async ({ signedIn: page }) => {
  const to = (path: string, body: string, encoding = '') => fetch(`${process.env.TOCSIN_INGEST}/ingest/${path}`, { method: 'POST', body, headers: { 'Content-Encoding': encoding } }).then((r) => r.status)
  // Two that are not in quarantine, of a source of their own: a request that is refused, and a time.
  expect(await to('errs', '{}', 'br')).toBe(415)
  expect(await to('errs', '{"timestamp":"yesterday"}')).toBe(200)
  await decided()
  await page.goto('/sources')
  const row = page.getByRole('table', { name: 'Sources' }).getByRole('row', { name: /^errs/ })
  await expect(row).toContainText('its time "yesterday" cannot be read, it has that of its arrival')
  await expect(row.getByRole('cell').nth(9)).toHaveText('2')
  await expect(row.getByRole('link')).toHaveCount(0)
  expect(await to('errs', '{"b": }')).toBe(200)
  await expect(row).toContainText('malformed_json')
  await expect(row.getByRole('cell').nth(9)).toHaveText('3')
  await row.getByRole('link', { name: '1: what of errs is in quarantine' }).press('Enter')
  await expect(page).toHaveURL('/quarantine?source=errs')
  await expect(page.getByRole('table', { name: 'Quarantine' }).getByRole('row')).toHaveCount(2)
})

test('an alert that is silenced says by what, and leads there', async ({ page }) => {
  test.setTimeout(180_000)
  const own = await demo(`alert:
  receivers: [{name: ops, type: webhook, url: "${process.env.RECEIVER_URL}/hook"}, {name: day, type: webhook, url: "${process.env.RECEIVER_URL}/hook"}]
  route:
    receiver: ops
    routes: [{receiver: day, matchers: ['user="uma"'], mute_time_intervals: [always]}]
  mute_time_intervals: [{name: always, time_intervals: [{years: ["2000:2199"]}]}]
  inhibit_rules: [{source_matchers: ['rule="container-takeover"'], target_matchers: ['user="vito"']}]
`)
  try {
    const headers = { Authorization: 'Bearer ' + own.token, 'Content-Type': 'application/json' }
    const ask = async (path: string, body?: object) => (await fetch(`${own.url}/api/v1/${path}`, { headers, ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}) })).json()
    const silence = await ask('silences', { matchers: ['user="sena"'], comment: 'her exercise', ends: '4h' })
    const takeover = (await ask('incidents?rule=container-takeover')).items[0].id
    for (const [i, user] of ['sena', 'uma', 'vito'].entries()) {
      expect((await fetch(own.ingest + '/ingest/vector', { method: 'POST', body: login(user, `203.0.113.${120 + i}`).join('\n') })).status).toBe(200)
    }
    await page.goto(`${own.url}/#token=${own.token}`)
    await expect(page.getByRole('table', { name: 'Incidents' })).toBeVisible()
    await page.goto(own.url + '/alerts?state=silenced')
    const alerts = page.getByRole('table', { name: 'Alerts' })
    const of = (user: string) => alerts.getByRole('row', { name: 'Password of ' + user })
    await expect(of('uma')).toContainText('mute time always')
    await expect(of('vito').getByRole('link', { name: 'incident ' + takeover.slice(0, 8) })).toHaveAttribute('href', '/incidents/' + takeover)
    const held = of('sena').getByRole('link', { name: 'silence ' + silence.id.slice(0, 8) })
    await expect(held).toBeVisible()
    const fine = async () => {
      for (const scheme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme: scheme })
        await page.screenshot({ path: `shots/${new URL(page.url()).pathname.slice(1)}-held-${scheme}-1280.png` })
        expect((await new AxeBuilder({ page }).analyze()).violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join('; ')}`)).toEqual([])
      }
    }
    await fine()
    await held.press('Enter')
    await expect(page).toHaveURL(own.url + '/silences?id=' + silence.id)
    const row = page.getByRole('table', { name: 'Silences' }).getByRole('row', { name: /her exercise/ })
    await expect(row).toHaveAttribute('aria-current', 'true')
    await fine()
    // One that is over is not in the list, and is shown to whom a link leads there.
    await row.getByRole('button', { name: /^End the silence/ }).press('Enter')
    await expect(row).toContainText('over')
    await expect(row).toHaveAttribute('aria-current', 'true')
    await page.goto(own.url + '/silences')
    await expect(page.getByRole('heading', { name: 'Nothing is silenced' })).toBeVisible()
  } finally {
    await page.goto('about:blank') // it asks no server that is gone
    await own.stop()
  }
})

test('an alert that was given up is tried again', async ({ signedIn: page }) => {
  await page.getByRole('link', { name: /alerts given up/ }).click()
  await expect(page).toHaveURL('/alerts?state=dead')
  const alerts = page.getByRole('table', { name: 'Alerts' })
  await expect(alerts.getByRole('row').nth(1)).toContainText('answered 410')
  const told = (await api('alerts?state=dead&limit=1')).items[0]
  const about = alerts.getByRole('row').nth(1).getByRole('link', { name: (await api(`incidents/${told.incident}`)).title, exact: true })
  await expect(about).toHaveAttribute('title', told.incident)
  await expect(about).toHaveAttribute('href', `/incidents/${told.incident}`)
  const before = await alerts.getByRole('row').count()
  await fetch(process.env.RECEIVER_URL + '/accept')
  await alerts.getByRole('button', { name: /^Try alert/ }).first().click()
  await expect(page.getByRole('status', { name: 'Messages' })).toContainText('ops is told again')
  await expect(alerts.getByRole('row')).toHaveCount(before - 1)
  await page.getByRole('link', { name: 'Sent' }).click()
  await expect(alerts.getByRole('row').nth(1)).toContainText('sent')
})

test('dark and light are chosen and kept', async ({ signedIn: page }) => {
  await page.emulateMedia({ colorScheme: 'light' })
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await back()
  await page.getByRole('button', { name: 'Theme: system' }).click()
  expect(await back()).not.toBe(light)
  await page.reload()
  await expect(page.getByRole('button', { name: 'Theme: dark' })).toBeVisible()
  expect(await back()).not.toBe(light)
  await page.getByRole('button', { name: 'Theme: dark' }).click()
  expect(await back()).toBe(light)
  await page.getByRole('button', { name: 'UTC' }).click()
  await expect(page.getByRole('button', { name: 'Local time' })).toBeVisible()
})
