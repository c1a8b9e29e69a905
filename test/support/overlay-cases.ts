import type { Overlay, OverlayChange } from '#standards/dicom/overlay.ts'

const set = (path: string, vr: string, ...strings: string[]): OverlayChange => ({ path, value: { vr, strings } })

const event = (reason: 'COERCE' | 'CORRECT', changes: readonly OverlayChange[], source = 'CLINIC') => ({
  reason,
  modifyingSystem: 'DIPTYCH',
  source,
  time: '20261124041500',
  changes,
})

const identity = [
  set('00100010', 'PN', 'Overlaid^Olga'),
  set('00100020', 'LO', 'LOCAL-1'),
  set('00100021', 'LO', 'local'),
  set('00100030', 'DA', '19700101'),
  set('00080050', 'SH', 'A-77'),
]

/** Overlays that between them change, add, remove, nest, stack and force another character set. */
export const OVERLAYS: { readonly [name: string]: Overlay } = {
  'a coercion in ASCII': [event('COERCE', identity)],
  'removals and an item': [
    event('CORRECT', [
      { path: '00100040', value: null },
      { path: '00081030', value: null },
      set('00081032/0/00080104', 'LO', 'another meaning'),
      set('00400275/0/00400009', 'SH', 'step'),
      set('00400275/7/00400009', 'SH', 'an item nobody has'),
      set('00101002/0/00100020', 'LO', 'OTHER'),
    ]),
  ],
  'a name beyond every old character set': [
    event('CORRECT', [set('00100010', 'PN', 'Yamada^Tarou=山田^太郎')], 'Klinik Süd'),
  ],
  'several events on the same attributes': [
    event('COERCE', identity),
    event('CORRECT', [set('00100010', 'PN', 'Overlaid^Öle'), { path: '00080050', value: null }]),
    event('COERCE', [set('00100010', 'PN', 'Overlaid^Olga'), set('00400275/0/00321060', 'LO', 'procedure')]),
  ],
  numbers: [event('CORRECT', [set('00200013', 'IS', '77'), set('00101030', 'DS', '70.50')])],
}
