import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { loadConfig } from '#config.ts'
import { openArchive } from '../../src/app.ts'
import { serve } from '../../src/app-server.ts'
import { programPath } from '../../tools/install-counterparts.ts'
import { cdaObject, ctDose, ctImage, doseScreen, secondaryCapture } from '../fixtures/objects.ts'
import { temporaryDirectory } from '../live/server.ts'
import { newest, settled, storeInstance, studyOf } from '../support/placement-site.ts'

const CHROMIUM = programPath('chromium') ?? 'chromium'
const PAPER = { ConversionType: 'SD', SeriesDescription: 'Consent form', Modality: 'OT' }

// The desk where a person sees why something is where it is, and takes it back.
test('placement desk in Chromium: suggestions, why, accept, take back, dry run, survey', async (context) => {
  const place = temporaryDirectory('placement-page')
  context.after(() => place.remove())
  const given = { http: { port: 0 }, dimse: { port: 'off' }, hl7: { port: 'off' } }
  const dataDirectory = join(place.path, 'data')
  const archive = await openArchive({ dataDirectory, config: loadConfig({ environment: {}, given }) })
  context.after(() => archive.close())
  const served = await serve(archive, { open: true, log: { error: (_, text) => process.stderr.write(`${text}\n`) } })
  context.after(() => served.close(500))
  const scan = await storeInstance(
    archive,
    secondaryCapture({ columns: 827, rows: 1169, more: PAPER }, studyOf('page-paper')),
  )
  await storeInstance(archive, doseScreen('ge', studyOf('page-dose')))
  await storeInstance(archive, ctDose(undefined, studyOf('page-dose')))
  await storeInstance(archive, ctImage(studyOf('page-cda')))
  await storeInstance(archive, cdaObject(undefined, studyOf('page-cda')))
  await storeInstance(archive, doseScreen('toshiba', studyOf('page-alone')))
  await settled(archive)

  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  context.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (told) => {
    // An object that a decision hid is not there: the page asks and is told so.
    if (told.type() === 'error' && !/status of 404/.test(told.text())) complaints.push(told.text())
  })
  const shots = process.env['DIPTYCH_SCREENSHOTS']
  const shoot = async (name: string) => {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  }

  await page.goto(`${served.http.url}/`)
  await page.getByRole('link', { name: 'Places', exact: true }).click()
  await page.getByText('A page of scanned paper').waitFor()
  await shoot('suggestions')
  await page.getByRole('link', { name: 'Consent form' }).click()
  await page.getByRole('heading', { name: 'Why is this here?' }).waitFor()
  assert.equal(await page.getByText('Conversion Type: scanned document (+0.6)').count(), 1)
  await shoot('why')
  await page.getByRole('button', { name: 'Yes, it is one' }).click()
  await page.getByText('Noted: 1 of 20 samples.').waitFor()
  await page.getByRole('button', { name: /^Decline/ }).click()
  await page.getByText('Say why first').waitFor()
  await page.getByRole('button', { name: /^Accept/ }).click()
  await page.getByText('in force').waitFor()
  await settled(archive)
  assert.equal(newest(archive, scan)?.made.length, 1)
  await page.reload()
  await page.getByText('It is in no panel now').waitFor()
  await shoot('accepted')
  await page.fill('textarea', 'A drawing of the patient.')
  await page.getByRole('button', { name: /^Take it back/ }).click()
  await page.getByText('undone').waitFor()
  await settled(archive)

  await page.getByRole('link', { name: 'Image or document' }).click()
  await page.getByRole('link', { name: 'To ask for' }).click()
  await page.getByText('ask the modality for the RDSR').waitFor()
  await shoot('ask-for')
  await page.getByRole('link', { name: 'Policy', exact: true }).click()
  await page.getByText('This is the default policy.').waitFor()
  const row = page.getByRole('row', { name: /^wrapped-cda/ })
  await row.getByRole('button', { name: 'Switch off' }).click()
  await page.getByText('Set by open').waitFor()
  await page.getByRole('button', { name: 'Try it on what is stored' }).click()
  await page.getByText('would change. Nothing was changed.').waitFor()
  await shoot('policy')
  await page.getByRole('button', { name: 'Take the last change back' }).click()
  await page.getByText('This is the default policy.').waitFor()

  await page.getByRole('link', { name: 'Survey', exact: true }).click()
  await page.getByRole('heading', { name: 'No survey yet' }).waitFor()
  await page.getByRole('button', { name: 'Look now' }).click()
  await page.getByRole('heading', { name: /^Survey of/ }).waitFor()
  await shoot('survey')
  await page
    .getByRole('row', { name: /scanned-paper/ })
    .getByText('1 declined')
    .waitFor()
  await page.fill('textarea', 'Taken over.')
  await page
    .getByRole('row', { name: /dose-screen\s*rendition/ })
    .getByRole('button', { name: 'Mend these' })
    .click()
  await page.getByText('1 mended').waitFor()
  await page.setViewportSize({ width: 390, height: 800 })
  await shoot('narrow')
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  assert.equal(wide, false, 'a narrow screen does not scroll sideways')
  assert.deepEqual(complaints, [])
})
