import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { programPath } from '../../tools/install-counterparts.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { startServer, temporaryDirectory } from '../live/server.ts'

const CHROMIUM = programPath('chromium') ?? 'chromium'

// Whoever merges the wrong patients must see it, and find the way back, without a manual.
test('patient page in Chromium: merge, see it, fix the name, take it back', { timeout: 120_000 }, async (context) => {
  const place = temporaryDirectory('patient-page')
  context.after(() => place.remove())
  const server = await startServer({ dataDirectory: join(place.path, 'data'), open: true })
  context.after(() => server.stop())
  const folder = join(place.path, 'CD')
  mkdirSync(folder)
  const lena = { ...STUDY, name: 'lena', patientName: 'Local^Lena', patientId: 'LOCAL-7', birthDate: '19800202' }
  for (const [index, elements] of [...ctSeries(2), ...ctSeries(2, 16, lena)].entries()) {
    writeFileSync(join(folder, `I${index}`), part10({ elements }))
  }
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  context.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  const shots = process.env['PAGE_SCREENSHOTS']
  const shoot = async (name: string) => {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  }

  await page.goto(`${server.url}/#/bring-in`)
  await page.setInputFiles('input[webkitdirectory]', folder)
  await page.locator('.run-head .chip', { hasText: 'Done' }).waitFor()

  await page.goto(`${server.url}/#/patients`)
  await page.getByRole('link', { name: 'Fixture, Felix' }).click()
  await page.getByRole('heading', { name: 'Who it is' }).waitFor()
  await shoot('patient')
  await page.getByText('Merge into another patient').click()
  const merge = page.locator('details', { hasText: 'Merge into another patient' })
  await merge.locator('input[name=id]').fill('LOCAL-7')
  await merge.locator('input[name=reason]').fill('the same person')
  await merge.getByRole('button', { name: 'Merge' }).click()
  await page.getByText('This number was folded into').waitFor()
  await shoot('patient-merged')

  await page.goto(`${server.url}/#/patients`)
  await page.getByRole('link', { name: 'Local, Lena' }).click()
  await page.getByText('Also known as').waitFor()
  assert.equal(await page.locator('section.card.flush tbody tr').count(), 2, 'both studies are under the survivor')
  await page.getByText('Fix the name', { exact: true }).click()
  const fix = page.locator('details', { hasText: 'Fix the name' })
  await fix.locator('input[name=name]').fill('Local^Léna')
  await fix.locator('input[name=reason]').fill('as she writes it')
  await fix.getByRole('button', { name: 'Fix the name everywhere' }).click()
  await page.getByRole('heading', { name: 'Local, Léna' }).waitFor()
  await shoot('patient-survivor')

  await page.locator('li', { hasText: 'into LOCAL-7' }).getByRole('button', { name: 'Undo' }).click()
  await page.locator('li input[name=reason]').fill('another person after all')
  await page.getByRole('button', { name: 'Take back' }).click()
  await page.getByText('(taken back)').waitFor()
  assert.equal(await page.locator('section.card.flush tbody tr').count(), 1)
  await shoot('patient-undone')
  await page.goto(`${server.url}/#/patients`)
  await page.getByRole('link', { name: 'Fixture, Felix' }).waitFor()

  // A correction of an object shows with its study, and is taken back there.
  await page.getByRole('link', { name: 'Fixture, Felix' }).click()
  await page.locator('section.card.flush tbody a').first().click()
  await page.getByText('1 series').waitFor()
  const study = new URL(page.url()).hash.split('/').at(-1)
  const answer = await fetch(`${server.url}/api/v1/studies/${study}/correct`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ changes: [{ path: '00081030', values: ['Another study'] }], reason: 'wrong protocol' }),
  })
  assert.equal(answer.status, 200, await answer.text())
  await page.reload()
  await page.getByText('00081030 is now Another study').waitFor()
  await page.locator('dd', { hasText: 'Another study' }).waitFor()
  await shoot('study-corrected')
  await page.getByRole('button', { name: 'Undo' }).click()
  await page.locator('li input[name=reason]').fill('it was right')
  await page.getByRole('button', { name: 'Take back' }).click()
  await page.locator('dd', { hasText: 'Fixture study' }).waitFor()
  assert.deepEqual(complaints, [])
})
