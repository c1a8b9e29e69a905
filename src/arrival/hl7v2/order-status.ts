import type { OrderStatus } from '#model/identity.ts'

/**
 * Status of an order by order control (ORC-1) and order status (ORC-5). services.md E.4; a site adds rows with
 * `hl7.orderStatus`. A control alone stands for an empty ORC-5.
 */
export const ORDER_STATUS: { readonly [control: string]: OrderStatus } = {
  NW: 'scheduled',
  NW_SC: 'scheduled',
  NW_IP: 'scheduled',
  XO: 'scheduled',
  XO_SC: 'scheduled',
  XO_CM: 'completed',
  SC_IP: 'in-progress',
  SC_CM: 'completed',
  SC_A: 'completed',
  CA: 'cancelled',
  CA_CA: 'cancelled',
  OC: 'cancelled',
  OC_CA: 'cancelled',
  DC: 'discontinued',
  DC_CA: 'discontinued',
  DC_DC: 'discontinued',
  OD: 'discontinued',
  OD_DC: 'discontinued',
}

/** Controls that end an order: they need not repeat what it was. */
export const ENDING: ReadonlySet<OrderStatus> = new Set(['cancelled', 'discontinued'])
