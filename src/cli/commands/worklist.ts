import { ORDER_STATUSES, worklistItem } from '#access/desk/worklist-routes.ts'
import { type ArchiveCommand, action, text, UsageError, wholeNumber } from '../command.ts'
import { oneLine } from '../terminal.ts'

export const worklistCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'worklist',
  summary: 'Imaging orders: what is scheduled, and what of it was done',
  operands: 'list',
  flags: {
    status: { type: 'string', value: 'STATUS', about: `one of ${ORDER_STATUSES.join(', ')}` },
    from: { type: 'string', value: 'YYYYMMDD', about: 'steps that start on this day or later' },
    to: { type: 'string', value: 'YYYYMMDD', about: 'steps that start on this day or earlier' },
    modality: { type: 'string', value: 'CODE', about: 'only steps of this modality' },
    station: { type: 'string', value: 'TITLE', about: 'only steps for this AE title' },
    accession: { type: 'string', value: 'NUMBER', about: 'only this accession number' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
  },
  operandCount: [0, 1],
  async run({ ledger, reader }, given, emit) {
    if (given.positionals.length > 0) action(given, ['list'])
    const status = ORDER_STATUSES.find((each) => each === text(given, 'status'))
    if (status === undefined && text(given, 'status') !== undefined) {
      throw new UsageError(`--status wants one of: ${ORDER_STATUSES.join(', ')}`)
    }
    const chosen = {
      from: 'from',
      to: 'to',
      modality: 'modality',
      stationAeTitle: 'station',
      accessionNumber: 'accession',
    }
    const filter = Object.fromEntries(
      Object.entries(chosen).flatMap(([key, flag]) => {
        const value = text(given, flag)
        return value === undefined ? [] : [[key, value]]
      }),
    )
    const limit = wholeNumber(given, 'limit', 100, 1)
    const { items } = ledger.orders({ ...filter, limit, ...(status === undefined ? {} : { status }) })
    if (items.length > 0) await emit({ heading: 'START  NUMBER (ISSUER)  NAME  MODALITY  ACCESSION  STATUS  WHAT' })
    for (const order of items) {
      const [step] = order.steps
      const when = `${step?.startDate ?? '-'} ${step?.startTime ?? ''}`.trim()
      const who = ledger.patient(order.patient)?.demographics.name ?? ''
      const what = [step?.modality ?? '-', order.accessionNumber ?? '-', order.status, order.description ?? ''].join(
        '  ',
      )
      await emit({
        json: await worklistItem({ ledger, reader }, order),
        text: oneLine(`${when}  ${order.patient.id} (${order.patient.issuer})  ${who}  ${what}`),
      })
    }
    if (items.length === 0) await emit({ note: 'There are no such orders.' })
    return 0
  },
}
