import { ArchiveError } from '#errors.ts'
import { DELIVERY_STATES, type Delivery, type Holding } from '#model/delivery.ts'
import { type ArchiveCommand, action, isSet, needed, operand, text, UsageError, wholeNumber } from '../command.ts'
import { oneLine } from '../terminal.ts'

const ACTIONS = ['list', 'show', 'resend', 'holdings', 'level'] as const
const BY = 'local'

export const deliveryCommand: ArchiveCommand = {
  runs: 'in-owner',
  needsData: true,
  name: 'delivery',
  summary: 'See which systems hold which version, send again, bring copies elsewhere level',
  operands: 'list | show ID | resend ID | holdings | level',
  flags: {
    object: { type: 'string', value: 'ID', about: 'only of this document' },
    destination: { type: 'string', value: 'NAME', about: 'only to this destination' },
    state: { type: 'string', value: 'STATE', about: `list: ${DELIVERY_STATES.join(', ')}` },
    behind: { type: 'boolean', about: 'holdings: only what must be brought level' },
    limit: { type: 'string', value: 'N', about: 'at most so many (default 100)' },
    reason: { type: 'string', value: 'TEXT', about: 'why; needed to resend and to level' },
  },
  operandCount: [1, 2],
  more: 'Destinations and rules stand in the setting notices.policy. Refused and failed notices stay until they are sent again.',
  async run({ deliveries, deliveryDesk }, given, emit) {
    const what = action(given, ACTIONS)
    const limit = wholeNumber(given, 'limit', 100, 1)
    const [objectId, destination] = [text(given, 'object'), text(given, 'destination')]
    const about = {
      ...(objectId === undefined ? {} : { objectId }),
      ...(destination === undefined ? {} : { destination }),
    }
    switch (what) {
      case 'list': {
        const state = DELIVERY_STATES.find((one) => one === text(given, 'state'))
        if (text(given, 'state') !== undefined && state === undefined) {
          throw new UsageError(`--state is one of ${DELIVERY_STATES.join(', ')}`)
        }
        const { items } = deliveries.deliveries({ ...about, limit, ...(state === undefined ? {} : { state }) })
        for (const item of items) await emit({ json: item, text: shortText(item) })
        if (items.length === 0) await emit({ note: 'There are no such deliveries.' })
        return 0
      }
      case 'holdings': {
        const items = deliveries.holdings({ ...about, limit, behind: isSet(given, 'behind') })
        for (const item of items) await emit({ json: item, text: holdingText(item) })
        if (items.length === 0) await emit({ note: 'Nobody holds any such document.' })
        return 0
      }
      case 'show': {
        const id = operand(given, 1, 'the number of the delivery')
        const found = deliveries.delivery(id)
        if (found === undefined) throw new ArchiveError('request.not-found', `there is no delivery ${id}`)
        const { body, ...delivery } = found
        const segments = body.before.split('\r').filter((line) => line !== '')
        const lines = [shortText(delivery), ...segments.map((line) => oneLine(`  ${line}`))]
        await emit({ json: { ...delivery, segments }, text: lines.join('\n') })
        return 0
      }
      case 'resend': {
        const cause = { by: BY, reason: needed(given, 'reason') }
        const made = await deliveryDesk.resend(operand(given, 1, 'the number of the delivery'), cause)
        await emit({ json: made, text: shortText(made) })
        return 0
      }
      case 'level': {
        const made = await deliveryDesk.level(about, { by: BY, reason: needed(given, 'reason') })
        for (const item of made) await emit({ json: item, text: shortText(item) })
        if (made.length === 0) await emit({ note: 'Every copy elsewhere is level.' })
        return 0
      }
    }
  },
}

function shortText({
  id,
  made,
  state,
  message,
  event,
  destination,
  objectId,
  version,
  answer,
  error,
}: Delivery): string {
  const why = answer ?? error
  const said = why === null ? '' : `  ${why}`
  return oneLine(
    `${id}  ${made}  ${state.padEnd(12)} ${message} ${event} ${objectId} v${version} to ${destination}${said}`,
  )
}

function holdingText({ destination, objectId, version, state, behind, current }: Holding): string {
  const level = behind ? `behind: ${current === null ? 'withdrawn here' : `${current} is in force here`}` : 'level'
  return oneLine(`${destination}  ${objectId} v${version}  ${state}  ${level}`)
}
