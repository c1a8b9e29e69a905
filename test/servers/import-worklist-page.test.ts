import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { chromium } from 'playwright-core'
import { loadConfig } from '#config.ts'
import { openArchive } from '../../src/app.ts'
import { serve } from '../../src/app-server.ts'
import { importCommand } from '../../src/cli/commands/import.ts'
import { programPath } from '../../tools/install-counterparts.ts'
import { part10 } from '../fixtures/dicom-builder.ts'
import { ctSeries, STUDY } from '../fixtures/objects.ts'
import { temporaryDirectory } from '../live/server.ts'

const CHROMIUM = programPath('chromium') ?? 'chromium'

// The page where a person says whose a study is: what speaks for and against must be seen before the button is.
test('import worklist in Chromium: see candidates, assign with a reason, take it back', async (context) => {
  const place = temporaryDirectory('worklist-page')
  context.after(() => place.remove())
  const data = join(place.path, 'data')
  mkdirSync(data)
  const given = { http: { port: 0 }, dimse: { port: 'off' }, hl7: { port: 'off' } }
  const archive = await openArchive({ dataDirectory: data, config: loadConfig({ environment: {}, given }) })
  context.after(() => archive.close())
  const served = await serve(archive, { open: true, log: { error: (_, text) => process.stderr.write(`${text}\n`) } })
  context.after(() => served.close(500))

  const message = [
    'MSH|^~\\&|RIS|HOSP|DIPTYCH|HOSP|20261124080000||ORM^O01^ORM_O01|P1|P|2.5.1',
    'PID|1||4711^^^HOSP^MR||Mueller^Anna||19710412|F',
    'PV1|1|O',
    'ORC|NW|P-1^RIS|F-1^RIS||SC',
    'OBR|1|P-1^RIS|F-1^RIS|IMPCT^Import of foreign CT^99HOSP||||||||||||||ACC-1|RP-1|S-1||||CT|||1^once^^20261124^^R',
  ].join('\r')
  const bytes = new Uint8Array(Buffer.from(`${message}\r`))
  const time = new Date().toISOString()
  await archive.messageDesk.receive({ bytes, door: 'mllp', address: '127.0.0.1', certificate: null, time })
  const disc = join(place.path, 'disc')
  mkdirSync(disc)
  const study = {
    ...STUDY,
    patientName: 'Müller^Anna',
    patientId: '000123',
    issuer: '',
    birthDate: '19710412',
    sex: 'F',
  } as const
  ctSeries(1, 16, study).forEach((elements, at) => {
    writeFileSync(join(disc, `I${at}`), part10({ elements }))
  })
  const flags = { medium: 'CD of Praxis Nord' }
  await importCommand.run(
    archive,
    { flags, positionals: [disc], workingDirectory: place.path },
    () => {},
    new AbortController().signal,
  )

  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  })
  context.after(() => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (told) => {
    if (told.type() === 'error') complaints.push(told.text())
  })
  const shots = process.env['DIPTYCH_SCREENSHOTS']
  const shoot = async (name: string) => {
    if (shots !== undefined) await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })
  }

  await page.goto(`${served.http.url}/`)
  await page.getByRole('link', { name: 'Import worklist', exact: true }).click()
  await page.getByText('nothing proves it').waitFor()
  await shoot('worklist')
  await page.getByRole('link', { name: 'Müller, Anna' }).click()
  await page.getByRole('heading', { name: 'Whose study is this?' }).waitFor()
  assert.equal(await page.getByText('CD of Praxis Nord').count(), 1)
  assert.equal(await page.getByText('Order ACC-1', { exact: false }).count(), 1)
  await shoot('item')
  await page.getByRole('button', { name: 'It is this patient' }).click()
  await page.getByText('Say why first').waitFor()
  await page.fill('textarea', 'Her disc; seen at the desk.')
  await page.getByRole('button', { name: 'It is this patient' }).click()
  await page.getByRole('heading', { name: 'Decided: assigned' }).waitFor()
  await shoot('decided')
  await page.fill('textarea', 'A namesake after all.')
  await page.getByRole('button', { name: /^Take it back/ }).click()
  await page.getByRole('heading', { name: 'Whose study is this?' }).waitFor()
  await page.getByText('A namesake after all.').waitFor()
  await shoot('undone')
  await page.setViewportSize({ width: 390, height: 800 })
  await shoot('narrow')
  const wide = await page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth')
  assert.equal(wide, false, 'a narrow screen does not scroll sideways')
  assert.deepEqual(complaints, [])
})
