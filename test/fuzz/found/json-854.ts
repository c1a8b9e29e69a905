export const found = {
  target: 'json',
  seed: 854,
  why: 'a UI beyond its repertoire was written as UTF-8 and read as Latin 1',
  hex: '7b223030303830303138223a7b227672223a225549222c2256616c7565223a5b22e5b1b1225d7d7d',
}
