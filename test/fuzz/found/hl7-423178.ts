export const found = {
  target: 'hl7',
  seed: 423178,
  why: 'Hl7Error: MSH-18 names a character set that is not read here',
  hex: '4d53487c5e7e7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c49534f20495231347e',
}
