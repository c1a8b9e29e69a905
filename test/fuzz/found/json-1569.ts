export const found = {
  target: 'json',
  seed: 1569,
  why: 'Pixel Data as a sequence came back as bulk data',
  hex: '7b223746453030303130223a7b227672223a225351227d7d',
}
