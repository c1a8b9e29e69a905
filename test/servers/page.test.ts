import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { programPath } from '../../tools/install-counterparts.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { HOSTILE } from '../fixtures/hostile.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { message } from '../live/mllp-client.ts'
import { runCommand, startServer, temporaryDirectory } from '../live/server.ts'

const PASSWORD = 'correct horse battery staple'
const CHROMIUM = programPath('chromium') ?? 'chromium'

// The first quarter of an hour of a new archive, in a browser: whatever breaks it breaks the first impression.
test('page in Chromium: set up, drop files, decide, find, see where it came from', async (context) => {
  const place = temporaryDirectory('browser')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: join(place.path, 'data'), open: false })
  context.after(() => server.stop())
  while (!server.errors().includes('Data:')) await new Promise((resolve) => setTimeout(resolve, 20))
  const link = /Set-up: +(\S+)/.exec(server.errors())?.[1]
  assert.ok(link, 'no set-up link was printed')
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  context.after(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })

  const named = await runCommand(['settings', 'set', 'site.name', '"St Fresh"', '--data', join(place.path, 'data')])
  assert.equal(named.status, 0, named.stderr)
  await page.goto(link)
  await page.getByRole('heading', { name: 'Welcome to St Fresh' }).waitFor()
  await page.fill('input[name=username]', 'admin')
  for (const field of await page.$$('input[type=password]')) await field.fill(PASSWORD)
  await page.click('button[type=submit]')
  await page.getByText('The archive is empty').waitFor()
  assert.deepEqual([await page.title(), await page.locator('.brand').innerText()], ['Studies · St Fresh', 'St Fresh'])

  const folder = join(place.path, 'CD')
  mkdirSync(folder)
  ctSeries(3).forEach((elements, index) => {
    writeFileSync(join(folder, `I${index}`), part10({ elements }))
  })
  writeFileSync(join(folder, 'README.TXT'), 'nothing\n')
  writeFileSync(join(folder, 'EVIL.DCM'), HOSTILE[Object.keys(HOSTILE)[0]!]!())
  await page.getByRole('link', { name: 'Bring in', exact: true }).click()
  await page.setInputFiles('input[webkitdirectory]', folder)
  await page.locator('.run-head .chip', { hasText: 'Done' }).waitFor()
  const tile = (name: string) => page.locator('.count', { hasText: name }).locator('b').textContent()
  assert.deepEqual(await Promise.all(['stored', 'held', 'skipped'].map(tile)), ['3', '1', '1'])

  await page.getByRole('link', { name: 'CD/EVIL.DCM' }).click()
  await page.getByText('Why it is held').waitFor()
  assert.match((await page.locator('.hex').textContent()) ?? '', /^0000 {2}/)
  await page.getByRole('button', { name: /^Discard/ }).click()
  await page.getByText('Say why first').waitFor()
  await page.fill('textarea', 'a program in a disguise')
  await page.getByRole('button', { name: /^Discard/ }).click()
  await page.getByText('Discarded file').waitFor()

  await page.getByRole('link', { name: 'Studies', exact: true }).click()
  await page.fill('input[name=name]', 'fixt')
  await page.click('button[type=submit]')
  await page.getByRole('link', { name: 'Fixture, Felix' }).click()
  await page.getByRole('link', { name: 'Everything of this patient' }).click()
  await page.getByText('Who it is').waitFor()
  await page.goBack()
  await page.locator('details td a.mono').first().click()
  await page.getByText('Screening').waitFor()
  await page.getByRole('link', { name: 'Patients', exact: true }).click()
  await page.getByRole('link', { name: 'Fixture, Felix' }).click()
  await page.getByText('Fixture study').waitFor()

  const adt = join(place.path, 'adt.hl7')
  writeFileSync(adt, message('ADT^A01', ['PID|1||P200^^^HOSP^MR||Leer^Lena||19700102|F']))
  const unnamed = join(place.path, 'unnamed.dcm')
  const [slice = {}] = ctSeries(1, 16, { ...STUDY, name: 'nobody', patientId: 'U1', issuer: '' })
  writeFileSync(unnamed, part10({ elements: slice }))
  const told = await runCommand(['import', adt, unnamed, '--data', join(place.path, 'data')])
  assert.equal(told.status, 0, told.stderr)
  await page.locator('#nav').getByRole('link', { name: 'Patients' }).click()
  await page.getByText('Issuer not named: nobody said whose number it is.', { exact: false }).waitFor()
  await page.getByRole('link', { name: 'Leer, Lena' }).click()
  await page.getByText('Nothing is kept under this number.').waitFor()
  await page.getByText('P200 (HOSP)', { exact: false }).first().waitFor()

  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await signInWrong(page)
  assert.deepEqual(
    complaints.filter((complaint) => !complaint.includes('401')),
    [],
  )
})

async function signInWrong(page: Page): Promise<void> {
  await page.fill('input[name=username]', 'admin')
  await page.fill('input[type=password]', 'not the password')
  await page.click('button[type=submit]')
  await page.getByRole('alert').waitFor()
}
