import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { loadConfig } from '#config.ts'
import { openArchive } from '../../src/app.ts'
import { serve } from '../../src/app-server.ts'
import { programPath } from '../../tools/install-counterparts.ts'
import { ctImage, STUDY } from '../fixtures/objects.ts'
import { temporaryDirectory } from '../live/server.ts'
import { storeInstance } from '../support/placement-site.ts'

const CHROMIUM = programPath('chromium') ?? 'chromium'
const PASSWORD = 'correct horse battery staple'

// A clinician finds nothing of a restricted patient, opens the record with a reason, and sees it.
test('restricted records in Chromium: withheld, opened with a reason, seen', async (context) => {
  const place = temporaryDirectory('restricted-page')
  context.after(() => place.remove())
  const given = { http: { port: 0 }, dimse: { port: 'off' }, hl7: { port: 'off' } }
  const archive = await openArchive({
    dataDirectory: join(place.path, 'data'),
    config: loadConfig({ environment: {}, given }),
  })
  context.after(() => archive.close())
  await archive.accounts.create({ name: 'ada', role: 'administrator', password: PASSWORD }, 'test', null)
  await archive.accounts.create({ name: 'clara', role: 'clinician', password: PASSWORD }, 'test', null)
  const served = await serve(archive, { open: false, log: { error: (_, text) => process.stderr.write(`${text}\n`) } })
  context.after(() => served.close(500))
  await storeInstance(archive, ctImage())
  const patient = { issuer: STUDY.issuer, id: STUDY.patientId }
  await archive.restrictionDesk.restrict(
    patient,
    'consent-denied',
    { reason: 'asked for it', until: null },
    'ada',
    null,
  )

  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  context.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  const shots = process.env['DIPTYCH_SCREENSHOTS']
  const shoot = async (name: string) => {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  }
  const signIn = async (name: string) => {
    await page.goto(`${served.http.url}/`)
    await page.fill('input[name=username]', name)
    await page.fill('input[name=password]', PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: 'Studies', exact: true }).waitFor()
  }

  await signIn('clara')
  assert.equal(await page.getByText('Fixture, Felix').count(), 0)
  await page.getByRole('link', { name: 'Restricted', exact: true }).click()
  await page.getByRole('heading', { name: 'Break the glass' }).waitFor()
  await page.fill('input[name=id]', STUDY.patientId)
  await page.fill('input[name=issuer]', STUDY.issuer)
  await page.fill('textarea[name=reason]', 'Unconscious in the emergency room.')
  await shoot('break-glass')
  await page.getByRole('button', { name: 'Open the record' }).click()
  await page.getByText('Fixture, Felix').first().waitFor()

  await page.context().clearCookies()
  await page.goto('about:blank')
  await signIn('ada')
  await page.getByRole('link', { name: 'Restricted', exact: true }).click()
  await page.getByText('Unconscious in the emergency room.').waitFor()
  await page.getByText('consent-denied').first().waitFor()
  await shoot('restricted')
  await page.setViewportSize({ width: 390, height: 800 })
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  assert.equal(wide, false, 'a narrow screen does not scroll sideways')
  assert.deepEqual(complaints, [])
})
