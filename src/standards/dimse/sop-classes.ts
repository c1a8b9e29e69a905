/** SOP classes and well-known instances of the DIMSE services. PS3.6 table A-1. Storage classes: ../dicom. */

export const SOP_CLASS = {
  verification: '1.2.840.10008.1.1',
  storageCommitmentPushModel: '1.2.840.10008.1.20.1',
  patientRootFind: '1.2.840.10008.5.1.4.1.2.1.1',
  patientRootMove: '1.2.840.10008.5.1.4.1.2.1.2',
  patientRootGet: '1.2.840.10008.5.1.4.1.2.1.3',
  studyRootFind: '1.2.840.10008.5.1.4.1.2.2.1',
  studyRootMove: '1.2.840.10008.5.1.4.1.2.2.2',
  studyRootGet: '1.2.840.10008.5.1.4.1.2.2.3',
  compositeInstanceRootMove: '1.2.840.10008.5.1.4.1.2.4.2',
  compositeInstanceRootGet: '1.2.840.10008.5.1.4.1.2.4.3',
  compositeInstanceWithoutBulkDataGet: '1.2.840.10008.5.1.4.1.2.5.3',
  modalityWorklistFind: '1.2.840.10008.5.1.4.31',
  modalityPerformedProcedureStep: '1.2.840.10008.3.1.2.3.3',
  modalityPerformedProcedureStepRetrieve: '1.2.840.10008.3.1.2.3.4',
  modalityPerformedProcedureStepNotification: '1.2.840.10008.3.1.2.3.5',
  instanceAvailabilityNotification: '1.2.840.10008.5.1.4.33',
  unifiedProcedureStepPush: '1.2.840.10008.5.1.4.34.6.1',
  unifiedProcedureStepWatch: '1.2.840.10008.5.1.4.34.6.2',
  unifiedProcedureStepPull: '1.2.840.10008.5.1.4.34.6.3',
  unifiedProcedureStepEvent: '1.2.840.10008.5.1.4.34.6.4',
  unifiedProcedureStepQuery: '1.2.840.10008.5.1.4.34.6.5',
  definedProcedureProtocolFind: '1.2.840.10008.5.1.4.20.1',
  inventoryFind: '1.2.840.10008.5.1.4.1.1.201.2',
} as const

export const SOP_INSTANCE = {
  storageCommitmentPushModel: '1.2.840.10008.1.20.1.1',
  unifiedProcedureStepGlobalSubscription: '1.2.840.10008.5.1.4.34.5',
  unifiedProcedureStepFilteredSubscription: '1.2.840.10008.5.1.4.34.5.1',
} as const

export type SopClassName = keyof typeof SOP_CLASS
